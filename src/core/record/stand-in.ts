import { prevOf, sealLine, hashOf } from './chain.ts';
import { noticeLine } from './notice.ts';

/** What may stand for a record that is too large for a sink, or refused by it: lines that together take its place in the chain. */
export type StandIn = { readonly kind: 'shortened' | 'withheld'; readonly lines: readonly string[] };

/** What OPA leaves out of an event that is too large ("Decision Logs"); it only serves replay. */
const LEFT_OUT = 'nd_builtin_cache';

/** The stand-ins of a record's line, best first: without its `nd_builtin_cache` where it has one, then a notice alone that names its decision. */
export function standInsOf(line: string, atMs: number): readonly StandIn[] {
  const record = parse(line);
  const id = typeof record['decision_id'] === 'string' ? record['decision_id'] : '';
  const [prev, next] = [prevOf(line), hashOf(line)];
  const notice = { kind: 'withheld', decision_id: id, bytes: new TextEncoder().encode(line).length } as const;
  const withheld: StandIn = { kind: 'withheld', lines: [noticeLine(notice, { prev, next }, atMs).line] };
  if (!Object.hasOwn(record, LEFT_OUT)) return [withheld];
  const shorter = sealLine(openTextOf(record), prev);
  const said = noticeLine(
    { kind: 'shortened', decision_id: id, erased: [`/${LEFT_OUT}`] },
    { prev: shorter.hash, next },
    atMs,
  );
  return [{ kind: 'shortened', lines: [shorter.line, said.line] }, withheld];
}

/** The record's text without the part, open at the end of `sallyport` as `sealLine` wants it. */
function openTextOf(record: Readonly<Record<string, unknown>>): string {
  const { [LEFT_OUT]: _gone, sallyport, ...rest } = record;
  const { prev: _prev, hash: _hash, ...ours } = (sallyport ?? {}) as Readonly<Record<string, unknown>>;
  const text = JSON.stringify({ ...rest, sallyport: ours });
  return `${text.slice(0, -2)}${Object.keys(ours).length > 0 ? ',' : ''}`;
}

function parse(line: string): Readonly<Record<string, unknown>> {
  return JSON.parse(line, keepDigits as (key: string, value: unknown) => unknown) as Readonly<Record<string, unknown>>;
}

/** What a double cannot hold stays as it was written. */
function keepDigits(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  return typeof value === 'number' && source !== undefined && String(value) !== source ? rawJson(source) : value;
}

function rawJson(source: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source);
}
