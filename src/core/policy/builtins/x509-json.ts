import { NULL, arr, bool, num, str } from '../term.ts';
import type { Term } from '../term.ts';
import { oidOf, oidText } from './der.ts';
import { urlText } from './go-url.ts';
import type { GoUrl } from './go-url.ts';
import { ipText } from './ip-text.ts';
import { record } from './json-term.ts';
import type { PublicKey } from './public-key.ts';
import type { Certificate } from './x509-certificate.ts';
import type { IpRange, Subtrees } from './x509-constraints.ts';
import type { AlternativeNames, Extension } from './x509-extensions.ts';
import type { NameAttribute } from './x509-name.ts';
import { timeText } from './x509-time.ts';

/** Attributes of a name that Go lists by a name of their own (crypto/x509/pkix, Name), by the last number of 2.5.4. */
const NAMED_ATTRIBUTES: Readonly<Record<string, number>> = {
  Country: 6,
  Locality: 7,
  Organization: 10,
  OrganizationalUnit: 11,
  PostalCode: 17,
  Province: 8,
  StreetAddress: 9,
};
/** Extended key usages in the order of Go's `ExtKeyUsage`. */
export const EXTENDED_USAGES: readonly string[] = [
  '2.5.29.37.0',
  '1.3.6.1.5.5.7.3.1',
  '1.3.6.1.5.5.7.3.2',
  '1.3.6.1.5.5.7.3.3',
  '1.3.6.1.5.5.7.3.4',
  '1.3.6.1.5.5.7.3.5',
  '1.3.6.1.5.5.7.3.6',
  '1.3.6.1.5.5.7.3.7',
  '1.3.6.1.5.5.7.3.8',
  '1.3.6.1.5.5.7.3.9',
  '1.3.6.1.4.1.311.10.3.3',
  '2.16.840.1.113730.4.1',
  '1.3.6.1.4.1.311.2.1.22',
  '1.3.6.1.4.1.311.61.1.1',
];

/** An object of these fields. */
export function fields(values: Readonly<Record<string, Term>>): Term {
  return record(Object.entries(values));
}

/** A Go slice in JSON: null where it has nothing. */
export function slice<T>(items: readonly T[] | undefined, term: (item: T) => Term): Term {
  return items === undefined || items.length === 0 ? NULL : arr(items.map(term));
}

/** Bytes in JSON are base64; no bytes at all are null. */
export function bytesTerm(bytes: Uint8Array | undefined): Term {
  return bytes === undefined ? NULL : str(bytes.toBase64());
}

function oidTerm(oid: readonly number[]): Term {
  return arr(oid.map(num));
}

/** A certificate as OPA shows it: Go's `x509.Certificate` in JSON. */
export function certificateTerm(certificate: Certificate): Term {
  const { known, keyInfo } = certificate;
  const usages = known.extendedUsages.map((oid) => ({ oid, number: EXTENDED_USAGES.indexOf(oid.join('.')) }));
  return fields({
    Raw: bytesTerm(certificate.raw),
    RawTBSCertificate: bytesTerm(certificate.rawTbs),
    RawSubjectPublicKeyInfo: bytesTerm(certificate.rawKeyInfo),
    RawSubject: bytesTerm(certificate.rawSubject),
    RawIssuer: bytesTerm(certificate.rawIssuer),
    Signature: bytesTerm(certificate.signature),
    SignatureAlgorithm: num(certificate.signatureAlgorithm),
    PublicKeyAlgorithm: num(keyInfo.algorithm),
    PublicKey: keyInfo.key === undefined ? NULL : publicKeyTerm(keyInfo.key),
    Version: num(certificate.version),
    SerialNumber: num(certificate.serialNumber),
    Issuer: nameTerm(certificate.issuer),
    Subject: nameTerm(certificate.subject),
    NotBefore: str(timeText(certificate.notBefore)),
    NotAfter: str(timeText(certificate.notAfter)),
    KeyUsage: num(known.keyUsage),
    Extensions: slice(certificate.extensions, extensionTerm),
    ExtraExtensions: NULL,
    UnhandledCriticalExtensions: slice(known.unhandledCritical, oidTerm),
    ExtKeyUsage: slice(
      usages.filter(({ number }) => number >= 0),
      ({ number }) => num(number),
    ),
    UnknownExtKeyUsage: slice(
      usages.filter(({ number }) => number < 0),
      ({ oid }) => oidTerm(oid),
    ),
    ...basicTerms(known.basic),
    SubjectKeyId: bytesTerm(known.subjectKeyId),
    AuthorityKeyId: bytesTerm(known.authorityKeyId),
    OCSPServer: slice(known.ocsp, str),
    IssuingCertificateURL: slice(known.issuers, str),
    CRLDistributionPoints: slice(known.distributionPoints, str),
    ...namesTerms(known.names),
    ...constraintTerms('Permitted', known.constraints?.permitted),
    ...constraintTerms('Excluded', known.constraints?.excluded),
    PermittedDNSDomainsCritical: bool(known.constraintsCritical),
    ...policyTerms(certificate),
  });
}

/** A certificate with its URIs as text besides. */
export function extendedTerm(certificate: Certificate): Term {
  const term = certificateTerm(certificate);
  if (term.kind !== 'object') return term;
  const uris = slice(certificate.known.names?.uris, (uri) => str(urlText(uri)));
  return { kind: 'object', entries: [...term.entries, [str('URIStrings'), uris]] };
}

function basicTerms(basic: Certificate['known']['basic']): Record<string, Term> {
  return {
    BasicConstraintsValid: bool(basic !== undefined),
    IsCA: bool(basic?.isCa ?? false),
    MaxPathLen: num(basic?.maxPathLength ?? 0),
    MaxPathLenZero: bool(basic?.maxPathLength === 0),
  };
}

/** Numbers of policy constraints and whether they are there and zero. */
function policyTerms({ known }: Certificate): Record<string, Term> {
  const numbered = known.policies?.flatMap((oid) => {
    const text = oidText(oid);
    return text.split('.').every((arc) => BigInt(arc) < 2n ** 31n) ? [oidOf(oid)] : [];
  });
  return {
    ...limit('RequireExplicitPolicy', known.explicitPolicy),
    ...limit('InhibitPolicyMapping', known.inhibitMapping),
    ...limit('InhibitAnyPolicy', known.inhibitAny),
    Policies: slice(known.policies, (oid) => str(oidText(oid))),
    PolicyIdentifiers: numbered === undefined ? NULL : arr(numbered.map(oidTerm)),
    PolicyMappings: slice(known.policyMappings, ({ issuer, subject }) =>
      fields({ IssuerDomainPolicy: str(oidText(issuer)), SubjectDomainPolicy: str(oidText(subject)) }),
    ),
  };
}

function limit(name: string, value: bigint | undefined): Record<string, Term> {
  return { [name]: num(value ?? 0n), [`${name}Zero`]: bool(value === 0n) };
}

/** Alternative names under the names of Go's fields. */
export function namesTerms(names: AlternativeNames | undefined): Record<string, Term> {
  return {
    DNSNames: slice(names?.dns, str),
    EmailAddresses: slice(names?.emails, str),
    IPAddresses: slice(names?.ips, (ip) => str(ipText(ip))),
    URIs: slice(names?.uris, urlTerm),
  };
}

function constraintTerms(side: string, trees: Subtrees | undefined): Record<string, Term> {
  return {
    [`${side}DNSDomains`]: slice(trees?.dns, str),
    [`${side}IPRanges`]: slice(trees?.ips, rangeTerm),
    [`${side}EmailAddresses`]: slice(trees?.emails, str),
    [`${side}URIDomains`]: slice(trees?.uris, str),
  };
}

function rangeTerm({ ip, mask }: IpRange): Term {
  return fields({ IP: str(ipText(ip)), Mask: bytesTerm(mask) });
}

/** A URL as the fields of Go's `url.URL`; who the user is cannot be seen. */
function urlTerm(url: GoUrl): Term {
  return fields({
    Scheme: str(url.scheme),
    Opaque: str(url.opaque),
    User: url.user === undefined ? NULL : fields({}),
    Host: str(url.host),
    Path: str(url.path),
    Fragment: str(url.fragment),
    RawQuery: str(url.rawQuery),
    RawPath: str(url.rawPath),
    RawFragment: str(url.rawFragment),
    ForceQuery: bool(url.forceQuery),
    OmitHost: bool(url.omitHost),
  });
}

/** A distinguished name as Go's `pkix.Name`: all attributes in order, and the common ones by name. */
export function nameTerm(attributes: readonly NameAttribute[]): Term {
  const valuesOf = (arc: number): string[] =>
    attributes.flatMap(({ type, value }) => (type.join('.') === `2.5.4.${arc}` ? [value] : []));
  const lists = Object.entries(NAMED_ATTRIBUTES).map(([name, arc]) => [name, slice(valuesOf(arc), str)] as const);
  return fields({
    ...Object.fromEntries(lists),
    CommonName: str(valuesOf(3).at(-1) ?? ''),
    SerialNumber: str(valuesOf(5).at(-1) ?? ''),
    Names: slice(attributes, ({ type, value }) => fields({ Type: oidTerm(type), Value: str(value) })),
    ExtraNames: NULL,
  });
}

export function extensionTerm({ id, critical, value }: Extension): Term {
  return fields({ Id: oidTerm(id), Critical: bool(critical), Value: bytesTerm(value) });
}

/** A public key as the fields of Go's type; Ed25519 keys are bytes. */
export function publicKeyTerm(key: PublicKey): Term {
  switch (key.kind) {
    case 'rsa':
      return fields({ N: num(key.n), E: num(key.e) });
    case 'ec':
      return fields({ Curve: fields({}), X: num(key.x), Y: num(key.y) });
    case 'ed25519':
      return bytesTerm(key.x);
    case 'dsa':
      return fields({ P: num(key.p), Q: num(key.q), G: num(key.g), Y: num(key.y) });
    case 'x25519':
      return fields({});
    default:
      return key satisfies never;
  }
}
