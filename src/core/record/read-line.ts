import type { DecisionRecord } from '../model/record.ts';
import { readNotice, type ReadNotice } from './notice.ts';

/** A line of a decision log, read back for people: `log show`. Nothing is verified here. */
export type LogLine =
  | { readonly kind: 'record'; readonly record: DecisionRecord }
  | ({ readonly kind: 'notice' } & ReadNotice)
  | { readonly kind: 'unreadable'; readonly why: string };

/** Reads one line (bytes without the line end). Never throws. */
export function readLogLine(line: Uint8Array): LogLine {
  const notice = readNotice(line);
  if (notice !== undefined) return { kind: 'notice', ...notice };
  try {
    const record = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line)) as Partial<DecisionRecord> | null;
    if (typeof record?.decision_id === 'string' && typeof record.sallyport?.verdict === 'string') {
      return { kind: 'record', record: record as DecisionRecord };
    }
    return { kind: 'unreadable', why: 'no decision record' };
  } catch (thrown) {
    return { kind: 'unreadable', why: thrown instanceof Error ? thrown.message : 'no JSON' };
  }
}
