import type { DerReader } from './der.ts';
import { constructedTag, primitiveTag, TAG } from './der.ts';
import { readFlag, readNamedBits, readOid, readSmallInteger } from './der-values.ts';
import type { GeneralName } from './general-name.ts';
import { readGeneralName, readGeneralNames, readList } from './general-name.ts';

/** More extensions than any certificate or list has. */
const MAX_EXTENSIONS = 64;

/** Bits of the key usage extension (RFC 5280 4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0, keyCertSign: 5, cRLSign: 6 } as const;

/** Object identifiers of extended key usages (RFC 5280 4.2.1.12). */
export const EXTENDED_KEY_USAGE = {
  any: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** Constraints on the names of certificates below (RFC 5280 4.2.1.10). */
export type NameConstraints = { readonly permitted: readonly GeneralName[]; readonly excluded: readonly GeneralName[] };

/** The extensions that the rules need, read. Key identifiers are lower-case hexadecimal. */
export type CertificateExtensions = {
  readonly subjectAltName: { readonly critical: boolean; readonly names: readonly GeneralName[] } | undefined;
  readonly keyUsage: { readonly critical: boolean; readonly bits: ReadonlySet<number> } | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly basicConstraints: { readonly cA: boolean; readonly pathLength: number | undefined } | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  /** Full names of the CRL distribution points, encoded, hexadecimal. */
  readonly distributionPoints: readonly string[];
  /** Object identifiers of critical extensions that are not read here (RFC 5280 4.2). */
  readonly unknownCritical: readonly string[];
};

/** An extension with its value not yet read. */
export type RawExtension = { readonly critical: boolean; readonly value: DerReader };

/** Extensions by object identifier (RFC 5280 4.1.2.9); one that is there twice is a mistake. */
export function readExtensionList(reader: DerReader, what: string): ReadonlyMap<string, RawExtension> {
  const list = reader.enter(TAG.sequence, what);
  const found = new Map<string, RawExtension>();
  do {
    const item = list.enter(TAG.sequence, what);
    const oid = readOid(item, what);
    const critical = readFlag(item, what);
    const value = item.enter(TAG.octetString, `extension ${oid}`);
    item.close(what);
    if (found.has(oid)) list.fail(`extension ${oid}: there twice`);
    found.set(oid, { critical, value });
  } while (!list.atEnd && found.size < MAX_EXTENSIONS);
  if (!list.atEnd) list.fail(`${what}: more than ${MAX_EXTENSIONS}`);
  return found;
}

const OID = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  distributionPoints: '2.5.29.31',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;

/** Extensions whose meaning is followed, so that they may be critical. A critical distribution point would promise that we fetch from it. */
const PROCESSED: ReadonlySet<string> = new Set(Object.values(OID).filter((oid) => oid !== OID.distributionPoints));

/** Reads the extensions of a certificate. */
export function readCertificateExtensions(reader: DerReader): CertificateExtensions {
  const list = readExtensionList(reader, 'extensions');
  const read = <T>(oid: string, how: (value: DerReader, critical: boolean) => T): T | undefined => {
    const found = list.get(oid);
    if (found === undefined) return undefined;
    const result = how(found.value, found.critical);
    found.value.close(`extension ${oid}`);
    return result;
  };
  return {
    subjectAltName: read(OID.subjectAltName, (value, critical) => ({ critical, names: readSubjectAltName(value) })),
    keyUsage: read(OID.keyUsage, (value, critical) => ({ critical, bits: readKeyUsage(value) })),
    extendedKeyUsage: read(OID.extendedKeyUsage, readExtendedKeyUsage),
    basicConstraints: read(OID.basicConstraints, readBasicConstraints),
    nameConstraints: read(OID.nameConstraints, readNameConstraints),
    subjectKeyId: read(OID.subjectKeyId, (value) => value.content(TAG.octetString, 'subject key identifier').toHex()),
    authorityKeyId: read(OID.authorityKeyId, readAuthorityKeyId),
    distributionPoints: read(OID.distributionPoints, readDistributionPoints) ?? [],
    unknownCritical: unknownCritical(list, PROCESSED),
  };
}

/** Object identifiers of the critical extensions that are not among `processed`. */
export function unknownCritical(
  list: ReadonlyMap<string, RawExtension>,
  processed: ReadonlySet<string>,
): readonly string[] {
  return [...list].filter(([oid, { critical }]) => critical && !processed.has(oid)).map(([oid]) => oid);
}

const DNS_NAME = /^[A-Za-z0-9._*-]{1,253}$/;

/** DNS names go into headers and records, so anything beside letters, digits and `.-_*` is a mistake (RFC 1034 3.5, RFC 6125 for `*`). */
function readSubjectAltName(value: DerReader): readonly GeneralName[] {
  const what = 'subject alternative name';
  const names = readGeneralNames(value, what);
  for (const name of names) {
    if (name.form === 'dns' && !DNS_NAME.test(name.text)) value.fail(`${what}: not a DNS name`);
  }
  return names;
}

function readKeyUsage(value: DerReader): ReadonlySet<number> {
  const bits = readNamedBits(value, 'key usage');
  if (bits.size === 0) value.fail('key usage: no bit is set');
  return bits;
}

function readExtendedKeyUsage(value: DerReader): readonly string[] {
  return readList(value.enter(TAG.sequence, 'extended key usage'), 'extended key usage', readOid);
}

/** BasicConstraints (RFC 5280 4.2.1.9). */
export function readBasicConstraints(value: DerReader): {
  readonly cA: boolean;
  readonly pathLength: number | undefined;
} {
  const what = 'basic constraints';
  const content = value.enter(TAG.sequence, what);
  const cA = readFlag(content, what);
  const pathLength = content.nextTag === TAG.integer ? readSmallInteger(content, what) : undefined;
  content.close(what);
  if (pathLength !== undefined && !cA) value.fail(`${what}: a path length without cA`);
  return { cA, pathLength };
}

function readNameConstraints(value: DerReader): NameConstraints {
  const what = 'name constraints';
  const content = value.enter(TAG.sequence, what);
  if (content.atEnd) value.fail(`${what}: empty`);
  const permitted = content.enterIf(constructedTag(0), what);
  const excluded = content.enterIf(constructedTag(1), what);
  const constraints = {
    permitted: permitted === undefined ? [] : readList(permitted, what, readSubtree),
    excluded: excluded === undefined ? [] : readList(excluded, what, readSubtree),
  };
  content.close(what);
  return constraints;
}

/** GeneralSubtree without minimum and maximum, which are not used (RFC 5280 4.2.1.10). */
function readSubtree(list: DerReader, what: string): GeneralName {
  const subtree = list.enter(TAG.sequence, what);
  const base = readGeneralName(subtree, what);
  subtree.close(what);
  return base;
}

/** The key identifier of an authority key identifier; issuer and serial number are not used (RFC 5280 4.2.1.1). */
export function readAuthorityKeyId(value: DerReader): string | undefined {
  const what = 'authority key identifier';
  const content = value.enter(TAG.sequence, what);
  const id = content.nextTag === primitiveTag(0) ? content.content(primitiveTag(0), what).toHex() : undefined;
  if (content.nextTag === constructedTag(1)) content.content(constructedTag(1), what);
  if (content.nextTag === primitiveTag(2)) content.content(primitiveTag(2), what);
  content.close(what);
  return id;
}

function readDistributionPoints(value: DerReader): readonly string[] {
  const what = 'CRL distribution points';
  return readList(value.enter(TAG.sequence, what), what, readDistributionPoint).flat();
}

function readDistributionPoint(list: DerReader, what: string): readonly string[] {
  const point = list.enter(TAG.sequence, what);
  const names = readDistributionPointName(point, what);
  if (point.nextTag === primitiveTag(1)) readNamedBits(point, what, primitiveTag(1));
  if (point.nextTag === constructedTag(2)) readGeneralNames(point, what, constructedTag(2));
  point.close(what);
  return names ?? [];
}

/**
 * DistributionPointName (RFC 5280 4.2.1.13) in its `[0]`: the full names, encoded, hexadecimal; empty for a name relative to the issuer,
 * undefined where there is none.
 */
export function readDistributionPointName(point: DerReader, what: string): readonly string[] | undefined {
  const choice = point.enterIf(constructedTag(0), what);
  const full = choice?.enterIf(constructedTag(0), what);
  if (choice === undefined || full !== undefined) {
    return full && readList(full, what, (list) => list.whole(list.nextTag, what).toHex());
  }
  choice.content(constructedTag(1), what);
  choice.close(what);
  return [];
}
