import { sha256Hex } from './bytes.ts';
import type { CrlHead } from './crl.ts';
import { parseCrlHead } from './crl.ts';
import { formatName } from './distinguished-name.ts';

/** The lists to go on with, and what was wrong with those that were to take the place of newer ones. */
export type NewestLists = { readonly crls: readonly Uint8Array[]; readonly problems: readonly string[] };

/**
 * What of `next` may take the place of `previous`, both DER: a list never gives way to an older one of the same issuer, key and scope (RFC 5280 5.2.3), since
 * that would forget revocations. Where `next` offers only older ones, the newest of `previous` stays in their place and a problem says so. Older means: a
 * smaller CRL number, or, where the numbers do not decide (one has none, or they are the same), an earlier thisUpdate.
 *
 * A list that `next` does not offer at all is gone: whoever keeps lists of a place that may be lied to, keeps those too. What cannot be read is handed on, for
 * `createTrustStore` to refuse by name. Signatures are not looked at here: to be asked with lists whose signature was checked, or that came on a way that is
 * trusted, as one that anybody made with a great number would shut out those that come after it. Its time does not depend on the number of entries.
 */
export function withoutRollback(previous: readonly Uint8Array[], next: readonly Uint8Array[]): NewestLists {
  const held = newestOfEach(linesOf(previous));
  const offered = linesOf(next);
  const newest = newestOfEach(offered);
  const problems: string[] = [];
  const stays = new Set<string>();
  for (const [line, { head }] of newest) {
    const before = held.get(line);
    if (before === undefined || !isOlder(head, before.head)) continue;
    stays.add(line);
    problems.push(rollback(head, before.head));
  }
  const placed = new Set<string>();
  const crls = offered.flatMap(({ der, line }) => {
    if (line === undefined || !stays.has(line)) return [der];
    const kept = placed.has(line) ? undefined : held.get(line);
    placed.add(line);
    return kept === undefined ? [] : [kept.der];
  });
  return { crls, problems };
}

/** The lists of `crls` whose issuer, key and scope no list of `others` has: what `others` forgot. Unreadable ones are left out. */
export function listsMissingIn(others: readonly Uint8Array[], crls: readonly Uint8Array[]): readonly Uint8Array[] {
  const there = new Set(linesOf(others).map(({ line }) => line));
  return linesOf(crls).flatMap(({ der, line }) => (line === undefined || there.has(line) ? [] : [der]));
}

/** Those of `crls` that are in force at `atMs`, milliseconds: their time of the next update has not come. */
export function listsInForce(crls: readonly Uint8Array[], atMs: number): readonly Uint8Array[] {
  return crls.filter((der) => {
    const head = parseCrlHead(der);
    return head.ok && atMs < head.value.nextUpdateMs;
  });
}

/** A list and the succession it belongs to: `line` is undefined where it cannot be read. */
type Placed = { readonly der: Uint8Array; readonly line: string | undefined; readonly head: CrlHead | undefined };

function linesOf(crls: readonly Uint8Array[]): readonly Placed[] {
  return crls.map((der) => {
    const head = parseCrlHead(der);
    return head.ok ? { der, line: lineOf(head.value), head: head.value } : { der, line: undefined, head: undefined };
  });
}

/** Two signers of one name are told apart by their key; lists that do not say their key (RFC 5280 5.2.1 wants them to) count as one succession. */
function lineOf({ issuer, authorityKeyId, delta, scopeKey }: CrlHead): string {
  return [sha256Hex(issuer), authorityKeyId ?? '', delta ? 'delta' : 'full', scopeKey].join(' ');
}

type Readable = { readonly der: Uint8Array; readonly head: CrlHead };

function newestOfEach(lists: readonly Placed[]): ReadonlyMap<string, Readable> {
  const newest = new Map<string, Readable>();
  for (const { der, line, head } of lists) {
    if (line === undefined || head === undefined) continue;
    const other = newest.get(line);
    if (other === undefined || isOlder(other.head, head)) newest.set(line, { der, head });
  }
  return newest;
}

function isOlder(a: CrlHead, b: CrlHead): boolean {
  if (a.number !== undefined && b.number !== undefined && a.number !== b.number) return isLess(a.number, b.number);
  return a.thisUpdateMs < b.thisUpdateMs;
}

/** Numbers as `CrlHead.number` has them. */
function isLess(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
}

function rollback(offered: CrlHead, held: CrlHead): string {
  const name = formatName(held.issuer);
  return `the revocation list of ${name} that is offered (${age(offered)}) is older than the one in force (${age(held)}), which stays: what it revokes would be forgotten. Look whether the place that serves it lags behind or lies; if its numbers began anew on purpose, restart without the copy that is kept`;
}

function age({ number, thisUpdateMs }: CrlHead): string {
  const made = `made ${new Date(thisUpdateMs).toISOString()}`;
  return number === undefined ? `without number, ${made}` : `number ${BigInt(`0x0${number}`)}, ${made}`;
}

/** Who made a list, for the operator. */
export function issuerOfList(der: Uint8Array): string {
  const head = parseCrlHead(der);
  return head.ok ? formatName(head.value.issuer) : 'nobody';
}
