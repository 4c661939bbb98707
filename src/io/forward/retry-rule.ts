import type { PermittedRequest } from '../../core/gate/permit.ts';
import type { FaultCode } from '../../core/model/faults.ts';
import type { Progress } from './answer-sink.ts';
import type { RequestBody } from './downstream.ts';

/** One attempt that brought no answer. */
export type FailedAttempt = {
  readonly progress: Progress;
  readonly code: FaultCode;
  readonly method: string;
  readonly style: PermittedRequest['style'];
  readonly body: RequestBody['kind'];
};

/** Connection faults that may pass by themselves. A certificate or an ID that was refused does not: every address of the destination was tried. */
const PASSING: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'destination_unreachable',
  'destination_tls_failed',
  'upstream_aborted',
  'upstream_timeout',
]);

/** Safe methods (RFC 9110 9.2.1). PUT and DELETE are idempotent by the letter (9.2.2), but too many agents do not keep to it. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * True where a request may be sent again without the other side seeing it twice, or without harm if it does (RFC 9110 9.2.2: an intermediary must not
 * repeat what is not idempotent):
 * - no connection was had, or it was gone before a byte of the request was written, or the other side said that it did not process it (RFC 9113 8.7): any
 *   request;
 * - the connection was lost before an answer: a safe method without a body;
 * - after a part of an answer: never.
 */
export function mayRepeat({ progress, code, method, style, body }: FailedAttempt): boolean {
  switch (progress) {
    case 'refused':
    case 'unsent':
      return true;
    case 'unconnected':
      return PASSING.has(code);
    case 'sent':
      return code === 'upstream_aborted' && style === 'http' && body === 'none' && SAFE_METHODS.has(method);
    case 'answered':
      return false;
    default:
      return progress satisfies never;
  }
}
