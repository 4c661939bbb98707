import { BuiltinError } from '../builtin.ts';
import { DerReader, TAG, context } from './der.ts';
import { sameBytes } from './go-bytes.ts';
import { readKeyInfo } from './public-key.ts';
import type { KeyInfo } from './public-key.ts';
import { readNameConstraints } from './x509-constraints.ts';
import type { NameConstraints } from './x509-constraints.ts';
import {
  findExtension,
  readAlternativeNames,
  readAuthorityAccess,
  readAuthorityKeyId,
  readBasicConstraints,
  readDistributionPoints,
  readExtendedUsages,
  readExtensions,
  readKeyUsage,
  readPolicies,
  readPolicyConstraints,
  readPolicyMappings,
} from './x509-extensions.ts';
import type { AlternativeNames, Extension } from './x509-extensions.ts';
import { readName } from './x509-name.ts';
import type { NameAttribute } from './x509-name.ts';
import { signatureAlgorithmOf } from './x509-signature.ts';
import { readTime } from './x509-time.ts';
import type { CertificateTime } from './x509-time.ts';

/** A certificate (RFC 5280 4.1) with what Go's `x509.Certificate` knows of it; undefined where the extension is not there. */
export type Certificate = {
  readonly raw: Uint8Array;
  readonly rawTbs: Uint8Array;
  readonly rawKeyInfo: Uint8Array;
  readonly rawSubject: Uint8Array;
  readonly rawIssuer: Uint8Array;
  readonly version: number;
  readonly serialNumber: bigint;
  readonly signatureAlgorithm: number;
  readonly signature: Uint8Array;
  readonly issuer: readonly NameAttribute[];
  readonly subject: readonly NameAttribute[];
  readonly notBefore: CertificateTime;
  readonly notAfter: CertificateTime;
  readonly keyInfo: KeyInfo;
  readonly extensions: readonly Extension[];
  readonly known: KnownExtensions;
};

/** What the extensions say. */
export type KnownExtensions = {
  readonly keyUsage: number;
  readonly basic: { readonly isCa: boolean; readonly maxPathLength: number } | undefined;
  readonly names: AlternativeNames | undefined;
  readonly constraints: NameConstraints | undefined;
  readonly constraintsCritical: boolean;
  readonly distributionPoints: readonly string[];
  readonly authorityKeyId: Uint8Array | undefined;
  readonly subjectKeyId: Uint8Array | undefined;
  readonly explicitPolicy: bigint | undefined;
  readonly inhibitMapping: bigint | undefined;
  readonly inhibitAny: bigint | undefined;
  readonly extendedUsages: readonly (readonly number[])[];
  readonly policies: readonly Uint8Array[] | undefined;
  readonly policyMappings: readonly { readonly issuer: Uint8Array; readonly subject: Uint8Array }[];
  readonly ocsp: readonly string[];
  readonly issuers: readonly string[];
  readonly unhandledCritical: readonly (readonly number[])[];
};

/** Extensions that Go reads, by identifier. */
const READ = new Set(
  ['14', '15', '17', '19', '30', '31', '32', '33', '35', '36', '37', '54'].map((arc) => `2.5.29.${arc}`),
);
const AUTHORITY_ACCESS = '1.3.6.1.5.5.7.1.1';
/** RFC 5280 4.2.1.1, 4.2.1.2 and 4.2.2.1: these must not be critical. */
const NEVER_CRITICAL = new Set(['2.5.29.14', '2.5.29.35', AUTHORITY_ACCESS]);

/** Reads one certificate after the other, without anything between, as Go's `x509.ParseCertificates`. */
export function readCertificates(der: Uint8Array): Certificate[] {
  const reader = new DerReader(der);
  const certificates: Certificate[] = [];
  while (!reader.empty) certificates.push(read(reader.element(TAG.sequence).whole));
  return certificates;
}

/** Reads exactly one certificate. */
export function readCertificate(der: Uint8Array): Certificate {
  const [certificate, ...more] = readCertificates(der);
  if (certificate === undefined || more.length > 0) throw new BuiltinError('not one certificate');
  return certificate;
}

function read(raw: Uint8Array): Certificate {
  const outer = new DerReader(raw).into(TAG.sequence);
  const rawTbs = outer.element(TAG.sequence).whole;
  const tbs = new DerReader(rawTbs).into(TAG.sequence);
  const version = (tbs.optional(context(0, true))?.size() ?? 0) + 1;
  if (version > 3) throw new BuiltinError('a certificate of an unknown version');
  const serialNumber = tbs.integer();
  if (serialNumber < 0n) throw new BuiltinError('a certificate with a negative serial number');
  const algorithm = tbs.body(TAG.sequence);
  if (!sameBytes(algorithm, outer.body(TAG.sequence)))
    throw new BuiltinError('inner and outer signature algorithm differ');
  const rawIssuer = tbs.element(TAG.sequence).whole;
  const validity = tbs.into(TAG.sequence);
  const [notBefore, notAfter] = [readTime(validity.any()), readTime(validity.any())];
  const rawSubject = tbs.element(TAG.sequence).whole;
  const rawKeyInfo = tbs.element(TAG.sequence).whole;
  const extensions = extensionsOf(tbs, version);
  return {
    raw,
    rawTbs,
    rawKeyInfo,
    rawSubject,
    rawIssuer,
    version,
    serialNumber,
    signatureAlgorithm: signatureAlgorithmOf(algorithm),
    issuer: readName(rawIssuer),
    subject: readName(rawSubject),
    notBefore,
    notAfter,
    keyInfo: readKeyInfo(rawKeyInfo),
    extensions,
    known: knownOf(extensions),
    signature: outer.rightAligned(),
  };
}

/** Version 2 has unique identifiers, version 3 extensions besides. */
function extensionsOf(tbs: DerReader, version: number): Extension[] {
  if (version < 2) return [];
  for (const tag of [context(1), context(2)]) if (tbs.next(tag)) tbs.any();
  const list = version === 3 ? tbs.optional(context(3, true)) : undefined;
  return list === undefined ? [] : readExtensions(list.into(TAG.sequence));
}

function knownOf(extensions: readonly Extension[]): KnownExtensions {
  const find = <T>(arc: string, reader: (value: Uint8Array) => T): T | undefined => {
    const found = findExtension(extensions, arc === AUTHORITY_ACCESS ? arc : `2.5.29.${arc}`);
    return found === undefined ? undefined : reader(found.value);
  };
  if (extensions.some(({ id, critical }) => critical && NEVER_CRITICAL.has(id.join('.'))))
    throw new BuiltinError('an extension is critical that must not be');
  const names = find('17', readAlternativeNames);
  const constraints = find('30', readNameConstraints);
  const access = find(AUTHORITY_ACCESS, readAuthorityAccess);
  const policy = find('36', readPolicyConstraints);
  return {
    keyUsage: find('15', readKeyUsage) ?? 0,
    basic: find('19', readBasicConstraints),
    names,
    constraints,
    constraintsCritical: findExtension(extensions, '2.5.29.30')?.critical ?? false,
    distributionPoints: find('31', readDistributionPoints) ?? [],
    authorityKeyId: find('35', readAuthorityKeyId),
    subjectKeyId: find('14', (value) => new DerReader(value).body(TAG.octetString)),
    explicitPolicy: policy?.explicit,
    inhibitMapping: policy?.mapping,
    inhibitAny: find('54', (value) => new DerReader(value).long()),
    extendedUsages: find('37', readExtendedUsages) ?? [],
    policies: find('32', readPolicies),
    policyMappings: find('33', readPolicyMappings) ?? [],
    ocsp: access?.ocsp ?? [],
    issuers: access?.issuers ?? [],
    unhandledCritical: unhandledOf(extensions, names, constraints),
  };
}

/** Critical extensions that nobody judged; names of which none is of a known kind are among them. */
function unhandledOf(
  extensions: readonly Extension[],
  names: AlternativeNames | undefined,
  constraints: NameConstraints | undefined,
): (readonly number[])[] {
  const nameless = names !== undefined && Object.values(names).every((list) => list.length === 0);
  const handled = ({ id }: Extension): boolean => {
    const oid = id.join('.');
    if (oid === '2.5.29.17') return !nameless;
    return oid === '2.5.29.30' ? constraints?.unhandled === false : READ.has(oid) || oid === AUTHORITY_ACCESS;
  };
  return extensions.filter((extension) => extension.critical && !handled(extension)).map(({ id }) => id);
}
