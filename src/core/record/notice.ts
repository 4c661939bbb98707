import { readSeal, sealLine, type SealedLine } from './chain.ts';

/**
 * A line that stands between records and says why the chain has a seam there.
 * - `lost`: `records` records could not be queued and are in no sink.
 * - `joined`: the file already held another chain when this process, or this file's turn, began.
 * - `torn`: the line (or lines) before this one was cut short, by a crash or a failing disk; nothing vouches for it.
 * - `shortened`: the record before this one was too large for this sink and stands without what `erased` names, under a hash of its own.
 * - `withheld`: the record of that decision stood here and was too large for this sink, or refused by it, `bytes` long; other sinks may have it.
 */
export type Notice =
  | { readonly kind: 'lost'; readonly records: number }
  | { readonly kind: 'joined' }
  | { readonly kind: 'torn' }
  | { readonly kind: 'shortened'; readonly decision_id: string; readonly erased: readonly string[] }
  | { readonly kind: 'withheld'; readonly decision_id: string; readonly bytes: number };

/** Where a notice stands: `prev` is the hash of the last sound line before it, `next` the `prev` of the line after it. */
export type Seam = { readonly prev: string; readonly next: string };

const BEGIN = '{"notice":';

/** The line of a notice; sealed by the same rule as a record, so its own text is covered by its hash. */
export function noticeLine(notice: Notice, seam: Seam, atMs: number): SealedLine {
  const body = `${BEGIN}${JSON.stringify(notice)},"timestamp":"${new Date(atMs).toISOString()}"`;
  return sealLine(`${body},"sallyport":{"next":"${seam.next}",`, seam.prev);
}

/** A notice as read back from a line. */
export type ReadNotice = { readonly notice: Notice; readonly timestamp: string; readonly seam: Seam };

/** Reads a notice; undefined where the line is none. Whether its hash holds is `readSeal`'s to say. */
export function readNotice(line: Uint8Array): ReadNotice | undefined {
  if (!startsWith(line, BEGIN)) return undefined;
  const seal = readSeal(line);
  if (seal === undefined) return undefined;
  const parsed = parse(line) as Partial<{ notice: Notice; timestamp: unknown; sallyport: { next?: unknown } }> | null;
  const notice = knownNotice(parsed?.notice);
  const next = parsed?.sallyport?.next;
  if (notice === undefined || typeof next !== 'string' || typeof parsed?.timestamp !== 'string') return undefined;
  return { notice, timestamp: parsed.timestamp, seam: { prev: seal.prev, next } };
}

/** What `prev` of the line after this one has to be: this line's hash, or where a notice says that the chain goes on. Undefined: no intact line. */
export function nextPrev(line: Uint8Array): string | undefined {
  const seal = readSeal(line);
  if (seal === undefined || !seal.intact) return undefined;
  return readNotice(line)?.seam.next ?? seal.hash;
}

function knownNotice(value: unknown): Notice | undefined {
  const notice = value as
    | Partial<Record<'kind' | 'records' | 'decision_id' | 'erased' | 'bytes', unknown>>
    | null
    | undefined;
  const { kind, records, decision_id, erased, bytes } = notice ?? {};
  if (kind === 'joined' || kind === 'torn') return { kind };
  if (kind === 'lost' && typeof records === 'number') return { kind, records };
  if (typeof decision_id !== 'string') return undefined;
  if (kind === 'withheld' && typeof bytes === 'number') return { kind, decision_id, bytes };
  if (kind === 'shortened' && Array.isArray(erased)) return { kind, decision_id, erased: erased.map(String) };
  return undefined;
}

function startsWith(line: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (line[i] !== text.charCodeAt(i)) return false;
  return true;
}

function parse(line: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(line));
  } catch {
    return undefined;
  }
}
