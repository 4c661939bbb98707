import { createRandom, systemClock } from '../../app/system.ts';
import { parseSpiffeId } from '../../core/identity/spiffe-id.ts';
import { createAuthorityFolder } from '../../io/authority/authority-folder.ts';
import { EXIT } from '../exit-codes.ts';
import { inert } from '../terminal.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityFault, AuthorityFolder } from '../../io/authority/authority-folder.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { CaCrlOptions, CaInitOptions, CaIssueOptions, CaRevokeOptions } from '../define-ca.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport ca init`. */
export async function init(options: CaInitOptions, terminal: Terminal): Promise<ExitCode> {
  const made = await folder(options).init(options.trustDomain, options.ttl, options.force === true);
  return print(made, options, terminal, ({ trustBundle, privateKey, revocationList }) => {
    terminal.err(`${privateKey} is not encrypted: whoever reads it can be anyone in ${options.trustDomain}`);
    return [trustBundle, privateKey, revocationList];
  });
}

/** `sallyport ca issue`. */
export async function issue(options: CaIssueOptions, terminal: Terminal): Promise<ExitCode> {
  const { id, ttl, dns, ip, out, name } = options;
  const request = { id, ttlMs: ttl, dnsNames: dns ?? [], ipAddresses: ip ?? [] };
  const issued = await folder(options).issue(request, { out, name, force: options.force === true });
  return print(issued, options, terminal, ({ certificate, privateKey, notAfter }) => {
    terminal.err(`${id}, valid until ${notAfter}`);
    return [certificate, privateKey];
  });
}

/** `sallyport ca revoke`. */
export async function revoke(options: CaRevokeOptions, terminal: Terminal): Promise<ExitCode> {
  const { id, serial } = options;
  if ((id === undefined) === (serial === undefined)) {
    terminal.err('sallyport ca revoke: one of --id and --serial is needed');
    return EXIT.wrongUse;
  }
  const parsed = id === undefined ? undefined : parseSpiffeId(id);
  const trustDomain = parsed?.ok === true ? parsed.value.trustDomain : options.trustDomain;
  const which = id === undefined ? { serial: serial ?? '' } : { id };
  const revoked = await folder(options).revoke(trustDomain, which);
  return print(revoked, options, terminal, ({ serials, revocationList }) => {
    terminal.err(`revoked ${serials.join(', ')}`);
    return [revocationList];
  });
}

/** `sallyport ca crl`. */
export async function crl(options: CaCrlOptions, terminal: Terminal): Promise<ExitCode> {
  const signed = await folder(options).crl(options.trustDomain, options.ttl);
  return print(signed, options, terminal, ({ revocationList, entries }) => {
    terminal.err(`${entries} revoked`);
    return [revocationList];
  });
}

function folder(options: { readonly dir: string }): AuthorityFolder {
  return createAuthorityFolder(options.dir, { clock: systemClock, random: createRandom() });
}

/** Paths on stdout, one a line, so that scripts can use them; or the whole as JSON. */
function print<T>(
  result: Result<T, AuthorityFault>,
  options: { readonly json?: true },
  terminal: Terminal,
  paths: (value: T) => readonly string[],
): ExitCode {
  if (!result.ok) {
    terminal.err(terminal.style('err', 'red', `sallyport: ${inert(result.error.detail)}`));
    return result.error.kind === 'refused' ? EXIT.wrongUse : EXIT.outside;
  }
  if (options.json === true) terminal.out(JSON.stringify(result.value));
  else for (const path of paths(result.value)) terminal.out(path);
  return EXIT.done;
}
