import type { BuiltinContext } from '../builtin.ts';
import { chargeComparisons } from './crypto-cost.ts';
import type { GoUrl } from './go-url.ts';
import { readIp } from './ip-text.ts';
import { readMailbox } from './mailbox.ts';
import type { Mailbox } from './mailbox.ts';
import type { Certificate } from './x509-certificate.ts';
import type { IpRange, NameConstraints } from './x509-constraints.ts';
import { isDomain } from './x509-extensions.ts';
import type { AlternativeNames } from './x509-extensions.ts';

type Names = {
  readonly dns: readonly string[];
  readonly ips: readonly Uint8Array[];
  readonly emails: readonly Mailbox[];
  readonly uris: readonly string[];
};

/**
 * True where the names of every certificate are within the constraints of those above it (RFC 5280 6.1.3 (b), (c)). Each name is compared with each constraint,
 * and every comparison is paid for before: a leaf of a thousand names under a thousand constraints is a million.
 */
export function namesAreAllowed(chain: readonly Certificate[], cost: BuiltinContext): boolean {
  return chain.every(({ known }, at) => {
    const above = chain.slice(at + 1).flatMap((issuer) => issuer.known.constraints ?? []);
    if (known.names === undefined || above.length === 0) return true;
    const names = readNames(known.names);
    return names !== undefined && above.every((constraints) => areWithin(names, constraints, cost));
  });
}

/** Names as constraints see them; undefined where one cannot be judged. */
function readNames({ dns, ips, emails, uris }: AlternativeNames): Names | undefined {
  const mailboxes = emails.map(readMailbox);
  const hosts = uris.map(hostOf);
  if (!isComplete(mailboxes) || !isComplete(hosts)) return undefined;
  const domains = [...dns, ...hosts, ...mailboxes.map(({ domain }) => domain)];
  return domains.every((name) => isDomain(name, false)) ? { dns, ips, emails: mailboxes, uris: hosts } : undefined;
}

function isComplete<T>(values: readonly (T | undefined)[]): values is T[] {
  return !values.includes(undefined);
}

/** The domain of a URI; none where it has no host, or an address. */
function hostOf({ host }: GoUrl): string | undefined {
  const bare = host.includes(':') && !host.endsWith(']') ? /^([^:]*):[0-9]*$/.exec(host)?.[1] : host;
  if (bare === undefined || bare === '' || bare.startsWith('[') || readIp(bare) !== undefined) return undefined;
  return bare.toLowerCase();
}

function areWithin(names: Names, { permitted, excluded }: NameConstraints, cost: BuiltinContext): boolean {
  for (const kind of ['dns', 'ips', 'emails', 'uris'] as const)
    chargeComparisons(cost, (names[kind].length + 1) * (permitted[kind].length + excluded[kind].length));
  const [mailsIn, mailsOut] = [permitted.emails.map(mailTest), excluded.emails.map(mailTest)];
  return (
    allowed(names.ips, permitted.ips, excluded.ips, isInRange) &&
    allowed(names.dns, permitted.dns, [], isUnder) &&
    !names.dns.some((name) => excluded.dns.some((domain) => isUnder(name, domain) || mayBeUnder(name, domain))) &&
    allowed(names.uris, permitted.uris, excluded.uris, isUnder) &&
    allowed(names.emails, mailsIn, mailsOut, (mailbox, test) => test(mailbox))
  );
}

/** Within one of the permitted, where there are any, and none of the excluded. */
function allowed<T, C>(
  names: readonly T[],
  permitted: readonly C[],
  excluded: readonly C[],
  matches: (name: T, constraint: C) => boolean,
): boolean {
  const within = (name: T): boolean => permitted.length === 0 || permitted.some((one) => matches(name, one));
  return names.every((name) => within(name) && !excluded.some((one) => matches(name, one)));
}

function isInRange(ip: Uint8Array, { ip: first, mask }: IpRange): boolean {
  return ip.length === mask.length && ip.every((byte, at) => ((byte ^ (first[at] ?? 0)) & (mask[at] ?? 0)) === 0);
}

/** A domain is under itself and what ends in it after a point; a constraint that begins with a point excludes the domain itself. */
function isUnder(name: string, domain: string): boolean {
  const [lower, end] = [name.toLowerCase(), domain.toLowerCase()];
  if (end === '') return true;
  return (
    lower.endsWith(end) &&
    (end.startsWith('.') || lower.length === end.length || lower.charAt(lower.length - end.length - 1) === '.')
  );
}

/** A wildcard may stand for an excluded name that has one label in its place. */
function mayBeUnder(name: string, domain: string): boolean {
  const dot = domain.indexOf('.');
  return (
    name.startsWith('*') &&
    dot >= 0 &&
    name.slice(1).toLowerCase() === domain.slice(dot).toLowerCase() &&
    name.charAt(1) === '.'
  );
}

/** What a constraint asks of a mailbox: to be this one, or of a host of this domain. */
function mailTest(constraint: string): (mailbox: Mailbox) => boolean {
  if (!constraint.includes('@')) return ({ domain }) => isUnder(domain, constraint);
  const only = readMailbox(constraint);
  const end = only?.domain.toLowerCase();
  return ({ local, domain }) => only?.local === local && end === domain.toLowerCase();
}
