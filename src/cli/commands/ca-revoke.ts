import { parseSpiffeId } from '../../core/identity/spiffe-id.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { writeListFile } from '../../io/authority/list-file.ts';
import { liftBar, revoke as revokeIn } from '../../io/authority/revoking.ts';
import { fileOption, withAuthority } from '../authority-at-hand.ts';
import { EXIT } from '../exit-codes.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { Which } from '../../io/authority/certificate-rows.ts';
import type { Revocation } from '../../io/authority/revoking.ts';
import type { BarKind } from '../../io/authority/revocation-rows.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { CaCrlOptions, CaRevokeOptions, CaUnbarOptions } from '../define-ca.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport ca revoke`. What is revoked is so even where the list cannot be written: that is exit 3, after the fact. */
export async function revoke(options: CaRevokeOptions, terminal: Terminal): Promise<ExitCode> {
  if ([options.id, options.serial, options.key].filter((one) => one !== undefined).length !== 1) {
    terminal.err('sallyport ca revoke: one of --id, --serial and --key is needed');
    return EXIT.wrongUse;
  }
  return withAuthority(options, terminal, async ({ store, deps }) => {
    const { bar, reason, ttl, issuingKey } = options;
    const which = whichOf(options);
    if (!which.ok) return which;
    const revoked = revokeIn(store, { which: which.value, reason, bar: bar === true }, deps);
    if (!revoked.ok) return revoked;
    if (!options.list) return ok({ json: revoked.value, lines: revoked.value.serials, advice: tell(revoked.value) });
    const lists = await writeListFile(store, { ttlMs: ttl, issuingKey: fileOption(issuingKey) }, deps);
    const revocationList = lists.ok ? lists.value.revocationList : undefined;
    return ok({
      json: { ...revoked.value, revocationList },
      lines: revocationList === undefined ? [] : [revocationList],
      advice: [...tell(revoked.value), ...(lists.ok ? lists.value.problems : [])],
      problem: lists.ok
        ? undefined
        : `the list could not be written: ${lists.error}; a running \`ca serve\` publishes one, or sign it with \`ca crl\``,
    });
  });
}

function whichOf({ id, serial, key, bar }: CaRevokeOptions): Result<Which, string> {
  if (serial !== undefined) return bar === true ? err('--bar goes with --id or --key') : ok({ serial });
  if (key !== undefined) return ok({ spkiSha256: key });
  const parsed = parseSpiffeId(id ?? '');
  return parsed.ok ? ok({ spiffeId: parsed.value.id }) : err(parsed.error.detail);
}

function tell({ serials, barred, voidTokens }: Revocation): readonly (string | undefined)[] {
  return [
    serials.length > 0 ? `revoked ${serials.join(', ')}` : 'no certificate was in force',
    ...barred.map((value) => `barred until \`sallyport ca unbar ${optionOf(value)} ${value}\``),
    barred.length > 0 && barred.every((value) => optionOf(value) === '--key')
      ? 'that is its key: with a new token, and so a new key, the agent can come back; --id with --bar keeps it out'
      : undefined,
    voidTokens > 0 ? `${voidTokens} open tokens are void` : undefined,
  ];
}

/** By which option `ca unbar` takes what is barred. */
function optionOf(barred: string): '--id' | '--key' | '--bearer' {
  if (/^[0-9a-f]{64}$/.test(barred)) return '--key';
  return barred.startsWith('spiffe://') ? '--id' : '--bearer';
}

/** `sallyport ca unbar`. */
export async function unbar(options: CaUnbarOptions, terminal: Terminal): Promise<ExitCode> {
  const kinds = (['id', 'key', 'bearer'] as const).filter((kind) => options[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    terminal.err('sallyport ca unbar: one of --id, --key and --bearer is needed');
    return EXIT.wrongUse;
  }
  return withAuthority(options, terminal, ({ store, deps }) => {
    const value = plain(kind, options[kind] ?? '');
    const lifted = liftBar(store, kind, value, deps);
    if (!lifted.ok) return err(`${lifted.error}; \`sallyport ca list\` says what is`);
    return ok({ json: { kind, value }, lines: [value], advice: ['not barred any more'] });
  });
}

/** Case and separators of a hash do not matter. */
function plain(kind: BarKind, value: string): string {
  return kind === 'key' ? value.replaceAll(/[:\s]/g, '').toLowerCase() : value;
}

/** `sallyport ca crl`. */
export function crl(options: CaCrlOptions, terminal: Terminal): Promise<ExitCode> {
  return withAuthority(options, terminal, async ({ store, deps }) => {
    const lists = await writeListFile(store, { ttlMs: options.ttl, issuingKey: fileOption(options.issuingKey) }, deps);
    if (!lists.ok) return lists;
    const { revocationList, entries, problems } = lists.value;
    return ok({
      json: { revocationList, entries },
      lines: [revocationList],
      advice: [`${entries} revoked`, ...problems],
    });
  });
}
