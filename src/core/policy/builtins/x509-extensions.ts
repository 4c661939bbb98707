import { BuiltinError } from '../builtin.ts';
import { DerReader, TAG, context, oidText } from './der.ts';
import { ia5 } from './x509-name.ts';
import { parseUrl } from './go-url.ts';
import type { GoUrl } from './go-url.ts';
import { textOf } from './go-bytes.ts';

/** An extension as it stands in a certificate or request. */
export type Extension = { readonly id: readonly number[]; readonly critical: boolean; readonly value: Uint8Array };

/** Names of a subject (RFC 5280 4.2.1.6); undefined where there are none of a kind. */
export type AlternativeNames = {
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  readonly ips: readonly Uint8Array[];
  readonly uris: readonly GoUrl[];
};

/** Reads extensions, each at most once. */
export function readExtensions(reader: DerReader): Extension[] {
  const extensions: Extension[] = [];
  const seen = new Set<string>();
  while (!reader.empty) {
    const sequence = reader.into(TAG.sequence);
    const id = sequence.oid();
    const critical = sequence.next(TAG.boolean) && sequence.boolean();
    extensions.push({ id, critical, value: sequence.body(TAG.octetString) });
    if (seen.has(id.join('.'))) throw new BuiltinError(`extension ${id.join('.')} twice`);
    seen.add(id.join('.'));
  }
  return extensions;
}

/** The extension of an identifier. */
export function findExtension(extensions: readonly Extension[], oid: string): Extension | undefined {
  return extensions.find(({ id }) => id.join('.') === oid);
}

/** Subject alternative names: mail, DNS, URI and IP; the others are read over. */
export function readAlternativeNames(value: Uint8Array): AlternativeNames {
  const names = { dns: [] as string[], emails: [] as string[], ips: [] as Uint8Array[], uris: [] as GoUrl[] };
  for (const { tag, body } of new DerReader(value).into(TAG.sequence).all()) {
    if (tag === context(1)) names.emails.push(ia5(body));
    else if (tag === context(2)) names.dns.push(ia5(body));
    else if (tag === context(6)) names.uris.push(subjectUri(ia5(body)));
    else if (tag === context(7)) names.ips.push(ipAddress(body));
  }
  return names;
}

function subjectUri(text: string): GoUrl {
  const url = parseUrl(text);
  if (url.host !== '' && !isDomain(url.host, false)) throw new BuiltinError('a URI with an invalid domain');
  return url;
}

function ipAddress(body: Uint8Array): Uint8Array {
  if (body.length !== 4 && body.length !== 16) throw new BuiltinError('an IP address of wrong length');
  return body;
}

/** What Go takes for a domain in a certificate: labels that are not empty, of printable ASCII; a constraint may begin with a point. */
export function isDomain(name: string, constraint: boolean): boolean {
  if (name === '') return true;
  const labels = constraint && name.startsWith('.') ? name.slice(1) : name;
  return !name.endsWith('.') && labels.split('.').every((label) => /^[\x21-\x7e]+$/.test(label));
}

/** Bits of key usage as Go numbers them: bit 0 of the string is 1. */
export function readKeyUsage(value: Uint8Array): number {
  const { bytes, unused } = new DerReader(value).bits();
  const length = bytes.length * 8 - unused;
  let usage = 0;
  for (let bit = 0; bit < Math.min(9, length); bit += 1) {
    if (((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) usage |= 1 << bit;
  }
  return usage;
}

/** Whether a certificate is an authority's, and how many may follow it; -1 where that is not limited. */
export function readBasicConstraints(value: Uint8Array): { isCa: boolean; maxPathLength: number } {
  const sequence = new DerReader(value).into(TAG.sequence);
  const isCa = sequence.next(TAG.boolean) && sequence.boolean();
  return { isCa, maxPathLength: sequence.next(TAG.integer) ? sequence.size() : -1 };
}

export function readDistributionPoints(value: Uint8Array): string[] {
  const uris: string[] = [];
  const points = new DerReader(value).into(TAG.sequence);
  while (!points.empty) {
    const names = points.into(TAG.sequence).optional(context(0, true))?.into(context(0, true));
    while (names?.next(context(6)) === true) uris.push(textOf(names.body(context(6))));
  }
  return uris;
}

/** Addresses where the issuer answers: OCSP and its own certificate. */
export function readAuthorityAccess(value: Uint8Array): { ocsp: string[]; issuers: string[] } {
  const found = { ocsp: [] as string[], issuers: [] as string[] };
  const list = new DerReader(value).into(TAG.sequence);
  while (!list.empty) {
    const access = list.into(TAG.sequence);
    const method = access.oid().join('.');
    if (!access.next(context(6))) continue;
    const uri = textOf(access.body(context(6)));
    if (method === '1.3.6.1.5.5.7.48.1') found.ocsp.push(uri);
    else if (method === '1.3.6.1.5.5.7.48.2') found.issuers.push(uri);
  }
  return found;
}

export function readAuthorityKeyId(value: Uint8Array): Uint8Array | undefined {
  const sequence = new DerReader(value).into(TAG.sequence);
  return sequence.next(context(0)) ? sequence.body(context(0)) : undefined;
}

/** Policies, each once, as the bytes of their identifiers. */
export function readPolicies(value: Uint8Array): Uint8Array[] {
  const policies: Uint8Array[] = [];
  const list = new DerReader(value).into(TAG.sequence);
  while (!list.empty) policies.push(list.into(TAG.sequence).body(TAG.oid));
  if (new Set(policies.map((oid) => oidText(oid))).size !== policies.length) throw new BuiltinError('a policy twice');
  return policies;
}

export function readPolicyMappings(value: Uint8Array): { issuer: Uint8Array; subject: Uint8Array }[] {
  const mappings: { issuer: Uint8Array; subject: Uint8Array }[] = [];
  const list = new DerReader(value).into(TAG.sequence);
  while (!list.empty) {
    const pair = list.into(TAG.sequence);
    mappings.push({ issuer: pair.body(TAG.oid), subject: pair.body(TAG.oid) });
  }
  return mappings;
}

/** After how many certificates a policy is demanded and mapping is over; Go reads both as 64 bit, of either sign. */
export function readPolicyConstraints(value: Uint8Array): {
  explicit: bigint | undefined;
  mapping: bigint | undefined;
} {
  const sequence = new DerReader(value).into(TAG.sequence);
  const read = (tag: number): bigint | undefined => (sequence.next(tag) ? sequence.long(tag) : undefined);
  return { explicit: read(context(0)), mapping: read(context(1)) };
}

/** Extended key usages as identifiers. */
export function readExtendedUsages(value: Uint8Array): number[][] {
  const usages: number[][] = [];
  const list = new DerReader(value).into(TAG.sequence);
  while (!list.empty) usages.push(list.oid());
  return usages;
}
