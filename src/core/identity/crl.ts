import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import { readInnerAlgorithm, readSigned, serialText } from './certificate.ts';
import type { RevokedSerials } from './crl-entries.ts';
import { NO_ENTRIES, readEntries } from './crl-entries.ts';
import { constructedTag, DerReader, primitiveTag, TAG } from './der.ts';
import { readFlag, readInteger, readNamedBits, readSmallInteger, readTime } from './der-values.ts';
import { isEmptyName, readName } from './distinguished-name.ts';
import type { RawExtension } from './extensions.ts';
import { readAuthorityKeyId, readDistributionPointName, readExtensionList, unknownCritical } from './extensions.ts';

/** The largest revocation list that is read, in bytes: some 200,000 entries. */
export const MAX_CRL_BYTES = 8 * 1024 * 1024;

/** Which certificates of its issuer a list speaks about (RFC 5280 5.2.5). */
export type CrlScope = {
  /** Full names of the distribution point, encoded, hexadecimal; undefined: the list is not bound to one. */
  readonly distributionPoint: readonly string[] | undefined;
  readonly certificates: 'all' | 'leaves' | 'authorities' | 'none';
  readonly allReasons: boolean;
};

/** What a list says of itself, its entries apart: all that is needed to know whose it is, how new it is and whether it is signed. */
export type CrlHead = {
  readonly tbs: Uint8Array;
  /** AlgorithmIdentifier, encoded, hexadecimal. */
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
  /** Name, encoded. */
  readonly issuer: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  readonly authorityKeyId: string | undefined;
  /** CRL number (RFC 5280 5.2.3), greater in each newer list of the same issuer and scope: lower-case hexadecimal without leading zeros. */
  readonly number: string | undefined;
  /** True for a list of changes only (RFC 5280 5.2.4): what it lists is revoked, what it does not list is not known to be good. */
  readonly delta: boolean;
  readonly scope: CrlScope;
  /** The scope as it is encoded, hexadecimal: lists of one issuer with the same text replace each other. Empty where the list has none. */
  readonly scopeKey: string;
  /** Why it must not be used at all (critical extensions that are not processed, RFC 5280 5.2 and 5.3; indirect lists), or undefined. */
  readonly unusable: string | undefined;
};

/** A certificate revocation list as data: well-formed, its signature not yet checked. */
export type Crl = CrlHead & { readonly revoked: RevokedSerials };

/**
 * Reads one CRL (RFC 5280 5.1), version 1 or 2, from strict DER of at most 8 MiB. Never throws. The error says what is wrong, for an operator.
 * A list without nextUpdate is not read: it would never grow old (RFC 5280 5.1.2.5).
 */
export function parseCrl(der: Uint8Array): Result<Crl, string> {
  return reading(der, (reader) => {
    const { head, list, mayExtend } = readHead(reader);
    const { revoked, unusable } = list === undefined ? NO_ENTRIES : readEntries(list, mayExtend);
    return { ...head, revoked, unusable: unusable ?? head.unusable };
  });
}

/** As `parseCrl`, but goes over the entries without looking at them: the time it takes does not depend on their number. */
export function parseCrlHead(der: Uint8Array): Result<CrlHead, string> {
  return reading(der, (reader) => readHead(reader).head);
}

function reading<T>(der: Uint8Array, read: (reader: DerReader) => T): Result<T, string> {
  if (der.length > MAX_CRL_BYTES) return err(`revocation list: over ${MAX_CRL_BYTES} bytes`);
  const reader = new DerReader(Uint8Array.from(der));
  const value = read(reader);
  return reader.failure === undefined ? ok(value) : err(`revocation list: ${reader.failure}`);
}

/** `list` reads the entries; `mayExtend`: they may have extensions. */
type HeadAndEntries = {
  readonly head: CrlHead;
  readonly list: DerReader | undefined;
  readonly mayExtend: boolean;
};

function readHead(reader: DerReader): HeadAndEntries {
  const { tbs, content, algorithm, signature } = readSigned(reader, 'revocation list');
  const version = content.nextTag === TAG.integer ? readSmallInteger(content, 'version') + 1 : 1;
  if (version > 2) content.fail('version: neither 1 nor 2');
  readInnerAlgorithm(content, algorithm);
  const issuer = readName(content, 'issuer');
  if (isEmptyName(issuer)) content.fail('issuer: empty');
  const thisUpdateMs = readTime(content, 'thisUpdate');
  const nextUpdateMs = readTime(content, 'nextUpdate');
  const list = content.enterIf(TAG.sequence, 'revoked certificates');
  const explicit = version === 2 ? content.enterIf(constructedTag(0), 'extensions') : undefined;
  const extensions = explicit === undefined ? NO_EXTENSIONS : readCrlExtensions(explicit);
  content.close('revocation list content');
  const signed = { tbs, signatureAlgorithm: algorithm.toHex(), signature, issuer, thisUpdateMs, nextUpdateMs };
  return { head: { ...signed, ...extensions }, list, mayExtend: version === 2 };
}

type CrlExtensions = Pick<CrlHead, 'authorityKeyId' | 'number' | 'delta' | 'scope' | 'scopeKey' | 'unusable'>;

const EVERYTHING: CrlScope = { distributionPoint: undefined, certificates: 'all', allReasons: true };
const NO_EXTENSIONS: CrlExtensions = {
  authorityKeyId: undefined,
  number: undefined,
  delta: false,
  scope: EVERYTHING,
  scopeKey: '',
  unusable: undefined,
};

const OID = { number: '2.5.29.20', delta: '2.5.29.27', scope: '2.5.29.28', authorityKeyId: '2.5.29.35' } as const;
const PROCESSED: ReadonlySet<string> = new Set(Object.values(OID));

function readCrlExtensions(explicit: DerReader): CrlExtensions {
  const list = readExtensionList(explicit, 'extensions');
  explicit.close('extensions');
  const read = <T>(oid: string, how: (value: DerReader) => T): T | undefined => {
    const value = list.get(oid)?.value;
    const result = value && how(value);
    value?.close(`extension ${oid}`);
    return result;
  };
  const { scope, scopeKey, indirect } = read(OID.scope, readScope) ?? { ...NO_EXTENSIONS, indirect: false };
  return {
    authorityKeyId: read(OID.authorityKeyId, readAuthorityKeyId),
    number: read(OID.number, readNumber),
    delta: read(OID.delta, (value) => readInteger(value, 'base CRL number', 21)) !== undefined,
    scope,
    scopeKey,
    unusable: indirect ? 'an indirect list' : unknownCriticalIn(list),
  };
}

function unknownCriticalIn(list: ReadonlyMap<string, RawExtension>): string | undefined {
  const unknown = unknownCritical(list, PROCESSED);
  return unknown.length === 0 ? undefined : `critical extension ${unknown.slice(0, 3).join(', ')}`;
}

/** CRLNumber: at most 20 octets and not negative (RFC 5280 5.2.3). */
function readNumber(value: DerReader): string {
  const octets = readInteger(value, 'CRL number', 21);
  if ((octets[0] ?? 0) >= 0x80) value.fail('CRL number: negative');
  return serialText(octets);
}

type ReadScope = Pick<CrlHead, 'scope' | 'scopeKey'> & { readonly indirect: boolean };

/** IssuingDistributionPoint (RFC 5280 5.2.5). */
function readScope(value: DerReader): ReadScope {
  const what = 'issuing distribution point';
  const encoded = value.whole(TAG.sequence, what);
  const content = value.over(encoded).enter(TAG.sequence, what);
  const distributionPoint = readDistributionPointName(content, what);
  const leaves = readFlag(content, what, primitiveTag(1));
  const authorities = readFlag(content, what, primitiveTag(2));
  const someReasons = content.nextTag === primitiveTag(3) && readNamedBits(content, what, primitiveTag(3)).size > 0;
  const indirect = readFlag(content, what, primitiveTag(4));
  const attributes = readFlag(content, what, primitiveTag(5));
  content.close(what);
  if (Number(leaves) + Number(authorities) + Number(attributes) > 1)
    value.fail(`${what}: more than one kind of certificate`);
  const certificates = attributes ? 'none' : leaves ? 'leaves' : authorities ? 'authorities' : 'all';
  const scope: CrlScope = { distributionPoint, certificates, allReasons: !someReasons };
  return { scope, scopeKey: encoded.toHex(), indirect };
}
