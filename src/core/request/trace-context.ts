import type { Trace } from '../model/request.ts';
import { classOf, hexByte, isAll } from './characters.ts';

const LOWER_HEX = classOf('0123456789abcdef');
const HYPHEN = 0x2d;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

/** Length of version 00: `vv-` 32 digits `-` 16 digits `-ff`. Later versions may add fields after a further hyphen (W3C Trace Context 3.2.4). */
const LENGTH = 55;

/**
 * Continues the peer's trace with a span of ours (W3C Trace Context section 3.3), or undefined where `traceparent` is not well-formed.
 * Flags that version 00 does not define are cleared.
 */
export function continueTrace(traceparent: string, newSpanId: () => string): Trace | undefined {
  if (!hasShape(traceparent)) return undefined;
  const traceId = traceparent.slice(3, 35);
  const parentSpanId = traceparent.slice(36, 52);
  const flags = hexByte(traceparent, 53);
  if (!isAll(traceId, LOWER_HEX) || !isAll(parentSpanId, LOWER_HEX) || !isAll(traceparent.slice(53, 55), LOWER_HEX)) {
    return undefined;
  }
  if (traceId === NO_TRACE || parentSpanId === NO_SPAN) return undefined;
  // Bit 0 is `sampled`; the others are not defined and must not be passed on (3.3.1.3).
  return Object.freeze({ traceId, spanId: newSpanId(), parentSpanId, flags: flags % 2 === 1 ? '01' : '00' });
}

function hasShape(text: string): boolean {
  const version = text.slice(0, 2);
  if (version === 'ff' || !isAll(version, LOWER_HEX)) return false;
  if (text.charCodeAt(2) !== HYPHEN || text.charCodeAt(35) !== HYPHEN || text.charCodeAt(52) !== HYPHEN) return false;
  return text.length === LENGTH || (version !== '00' && text.charCodeAt(LENGTH) === HYPHEN);
}

/** A trace that begins here. Sampled: an agent that follows its parent's choice would otherwise never record a span. */
export function beginTrace(newTraceId: () => string, newSpanId: () => string): Trace {
  return Object.freeze({ traceId: newTraceId(), spanId: newSpanId(), parentSpanId: undefined, flags: '01' });
}

/** The field value that says where the agent's spans belong. */
export function traceparentOf(trace: Trace): string {
  // Joined: see `kernel/uuid.ts`.
  return ['00', trace.traceId, trace.spanId, trace.flags].join('-');
}
