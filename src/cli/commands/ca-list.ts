import { ok } from '../../core/kernel/result.ts';
import { readInventory } from '../../io/authority/inventory.ts';
import { tokenLabel } from '../../io/authority/join-token.ts';
import { withAuthority } from '../authority-at-hand.ts';

import type { Inventory, ListedCa } from '../../io/authority/inventory.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { CaListOptions } from '../define-ca-at-work.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport ca list`. */
export function list(options: CaListOptions, terminal: Terminal): Promise<ExitCode> {
  return withAuthority(options, terminal, ({ store, deps }) => {
    const found = readInventory(store, deps.clock.wallMs());
    return found.ok ? ok({ json: jsonOf(found.value), lines: tableOf(found.value) }) : found;
  });
}

function jsonOf({ trustDomain, sequence, roots, issuing, certificates, tokens, bars }: Inventory) {
  return {
    trustDomain,
    sequence,
    roots: roots.map(caJson),
    issuing: issuing.map(caJson),
    certificates: certificates.map(({ spiffeId, serial, spkiSha256, notAfterMs, how, bearer }) => {
      return { id: spiffeId, serial, key: spkiSha256, notAfter: time(notAfterMs), how, bearer };
    }),
    tokens: tokens.map(({ hash, spiffeId, expiresMs }) => {
      return { id: spiffeId, token: tokenLabel(hash), expires: time(expiresMs) };
    }),
    bars: bars.map(({ kind, value, atMs }) => ({ kind, value, since: time(atMs) })),
  };
}

function caJson({ state, sha256, notAfterMs, key }: ListedCa<string>) {
  return { state, sha256, notAfter: time(notAfterMs), key };
}

/** One line each: what it is, its state or how it came to be, until when, and its name. */
function tableOf({ roots, issuing, certificates, tokens, bars }: Inventory): readonly string[] {
  const rows = [
    ...roots.map((one) => caRow('root', one)),
    ...issuing.map((one) => caRow('issuing', one)),
    ...certificates.map((one) => ['certificate', one.how, time(one.notAfterMs), `${one.serial} ${one.spiffeId}`]),
    ...tokens.map((one) => ['token', 'open', time(one.expiresMs), `${tokenLabel(one.hash)} ${one.spiffeId}`]),
    ...bars.map((one) => ['barred', one.kind, '-', one.value]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
}

function caRow(what: string, { state, notAfterMs, sha256, key }: ListedCa<string>): readonly string[] {
  return [what, state, time(notAfterMs), `${sha256} ${key}`];
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
