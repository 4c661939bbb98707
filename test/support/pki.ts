import type { KeyObject } from 'node:crypto';
import { randomBytes } from 'node:crypto';

import * as der from './der.ts';
import type { Extension, KeyUsageName } from './pki-certificate.ts';
import { commonName, encodeCertificate, extension, generalName, OID } from './pki-certificate.ts';
import type { CrlOptions } from './pki-crl.ts';
import { encodeCrl } from './pki-crl.ts';
import type { Digest, KeyKind, KeyPair } from './pki-keys.ts';
import { createKeyPair, keyIdentifier, spkiOf } from './pki-keys.ts';

/**
 * A PKI made at run time. Without options everything it makes is right; every option below makes one thing different, so that a test
 * can say exactly what is wrong with its certificate.
 */
export type CertificateOptions = {
  /** Common name; null makes the subject empty. */
  readonly subject?: string | null;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly serial?: bigint;
  readonly keyKind?: KeyKind;
  readonly keys?: KeyPair;
  /** URI SANs; text or bytes. */
  readonly uris?: readonly (string | Uint8Array)[];
  readonly dnsNames?: readonly (string | Uint8Array)[];
  /** Further GeneralNames, encoded (`generalName` of pki-certificate). */
  readonly otherNames?: readonly Uint8Array[];
  /** Default: critical when the subject is empty. */
  readonly sanCritical?: boolean;
  /** undefined: the right one for leaf or authority; null: no basicConstraints extension. */
  readonly cA?: boolean | null;
  readonly pathLength?: number;
  /** null: no extension. */
  readonly keyUsage?: readonly KeyUsageName[] | null;
  readonly keyUsageCritical?: boolean;
  /** null: no extension. Default: serverAuth and clientAuth for leaves, none for authorities. */
  readonly extendedKeyUsage?: readonly string[] | null;
  /** Added at the end, duplicates and nonsense included. */
  readonly extensions?: readonly Extension[];
  /** The last word on the list of extensions. */
  readonly editExtensions?: (list: readonly Extension[]) => readonly Extension[];
  /** Key identifier of the issuer to claim; null leaves the extension out. */
  readonly authorityKeyId?: Uint8Array | null;
  readonly version?: number;
  /** Hash of the issuer's signature. Default sha256. */
  readonly digest?: Digest;
  readonly breakSignature?: boolean;
  readonly outerAlgorithm?: Uint8Array;
  /** Encoded times, issuer and key in place of the right ones. */
  readonly rawNotBefore?: Uint8Array;
  readonly rawNotAfter?: Uint8Array;
  readonly rawIssuer?: Uint8Array;
  readonly rawSubject?: Uint8Array;
  readonly rawSpki?: Uint8Array;
};

/** For leaves: `id` is the SPIFFE ID, the one URI SAN unless `uris` says otherwise. */
export type LeafOptions = CertificateOptions & { readonly id?: string };

export type AuthorityOptions = CertificateOptions & {
  /** Default `example.org`. */
  readonly trustDomain?: string;
};

/** A certificate with its key. */
export type Issued = {
  readonly der: Uint8Array;
  /** Leaf first, without the root: what a peer presents. */
  readonly chain: readonly Uint8Array[];
  readonly certPem: string;
  readonly chainPem: string;
  readonly keyPem: string;
  readonly privateKey: KeyObject;
  readonly keys: KeyPair;
  readonly serial: bigint;
  readonly notAfter: Date;
};

/** A root or an intermediate. */
export type Authority = {
  readonly trustDomain: string;
  readonly certificate: Issued;
  /** The root above it: what a trust bundle holds. */
  readonly bundle: readonly Uint8Array[];
  readonly bundlePem: string;
  /** Its own name, encoded. */
  readonly name: Uint8Array;
  intermediate(options?: CertificateOptions): Authority;
  /** A leaf; without options `spiffe://<trust domain>/agent`, valid from an hour ago for a day. */
  issue(options?: LeafOptions): Issued;
  crl(options?: CrlOptions): { readonly der: Uint8Array; readonly pem: string };
};

const HOUR = 3_600_000;

/** A self-signed root, valid from a day ago for a year. Others are made from it. */
export function createAuthority(options: AuthorityOptions = {}): Authority {
  const trustDomain = options.trustDomain ?? 'example.org';
  const keys = options.keys ?? createKeyPair(options.keyKind);
  const subject = options.subject === undefined ? `Root of ${trustDomain}` : options.subject;
  const name = options.rawSubject ?? commonName(subject ?? undefined);
  const signer = { name, keys, chain: [] };
  const certificate = makeCertificate({ ...authorityDefaults(trustDomain), ...options, subject, keys }, signer);
  return authorityOf(trustDomain, { ...certificate, chain: [] }, name, [certificate.der]);
}

type Signer = { readonly name: Uint8Array; readonly keys: KeyPair; readonly chain: readonly Uint8Array[] };

function authorityOf(
  trustDomain: string,
  certificate: Issued,
  name: Uint8Array,
  bundle: readonly Uint8Array[],
): Authority {
  const { keys, chain } = certificate;
  const signer: Signer = { name, keys, chain };
  return {
    trustDomain,
    certificate,
    name,
    bundle,
    bundlePem: bundle.map((root) => der.pem('CERTIFICATE', root)).join(''),
    intermediate(options = {}) {
      const subject = options.subject === undefined ? `Intermediate of ${trustDomain}` : options.subject;
      const issued = makeCertificate({ ...authorityDefaults(trustDomain), ...options, subject }, signer);
      return authorityOf(trustDomain, issued, options.rawSubject ?? commonName(subject ?? undefined), bundle);
    },
    issue(options = {}) {
      const uris = options.uris ?? [options.id ?? `spiffe://${trustDomain}/agent`];
      return makeCertificate({ ...LEAF_DEFAULTS, ...options, uris }, signer);
    },
    crl(options = {}) {
      const bytes = encodeCrl(options, { name, keys, keyId: keyIdentifier(keys) });
      return { der: bytes, pem: der.pem('X509 CRL', bytes) };
    },
  };
}

const LEAF_DEFAULTS: CertificateOptions = {
  subject: null,
  cA: false,
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: [OID.serverAuth, OID.clientAuth],
};

function authorityDefaults(trustDomain: string): CertificateOptions {
  return {
    cA: true,
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: null,
    uris: [`spiffe://${trustDomain}`],
    notBefore: new Date(Date.now() - 24 * HOUR),
    notAfter: new Date(Date.now() + 365 * 24 * HOUR),
  };
}

function makeCertificate(options: CertificateOptions, signer: Signer): Issued {
  const keys = options.keys ?? createKeyPair(options.keyKind);
  const serial = options.serial ?? BigInt(`0x4${randomBytes(15).toString('hex')}`);
  const notAfter = options.notAfter ?? new Date(Date.now() + 24 * HOUR);
  const bytes = encodeCertificate(
    {
      version: options.version,
      serial,
      issuer: options.rawIssuer ?? signer.name,
      subject: options.rawSubject ?? commonName(options.subject ?? undefined),
      notBefore: options.rawNotBefore ?? der.time(options.notBefore ?? new Date(Date.now() - HOUR)),
      notAfter: options.rawNotAfter ?? der.time(notAfter),
      spki: options.rawSpki ?? spkiOf(keys),
      extensions: extensionsFor(options, keys, signer),
    },
    {
      keys: signer.keys,
      digest: options.digest,
      breakSignature: options.breakSignature,
      outerAlgorithm: options.outerAlgorithm,
    },
  );
  const chain = [bytes, ...signer.chain];
  return {
    der: bytes,
    chain,
    certPem: der.pem('CERTIFICATE', bytes),
    chainPem: chain.map((one) => der.pem('CERTIFICATE', one)).join(''),
    keyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    privateKey: keys.privateKey,
    keys,
    serial,
    notAfter,
  };
}

function extensionsFor(options: CertificateOptions, keys: KeyPair, signer: Signer): readonly Extension[] {
  const list: Extension[] = [extension.subjectKeyIdentifier(keyIdentifier(keys))];
  const issuerKeyId = options.authorityKeyId === undefined ? keyIdentifier(signer.keys) : options.authorityKeyId;
  if (issuerKeyId !== null) list.push(extension.authorityKeyIdentifier(issuerKeyId));
  if (options.cA !== null) list.push(extension.basicConstraints(options.cA ?? false, options.pathLength));
  if (options.keyUsage) list.push(extension.keyUsage(options.keyUsage, options.keyUsageCritical ?? true));
  if (options.extendedKeyUsage) list.push(extension.extendedKeyUsage(options.extendedKeyUsage));
  const names = namesFor(options);
  const empty = (options.subject ?? null) === null && options.rawSubject === undefined;
  if (names.length > 0) list.push(extension.subjectAltName(names, options.sanCritical ?? empty));
  const all = [...list, ...(options.extensions ?? [])];
  return options.editExtensions === undefined ? all : options.editExtensions(all);
}

function namesFor(options: CertificateOptions): readonly Uint8Array[] {
  return [
    ...(options.uris ?? []).map(generalName.uri),
    ...(options.dnsNames ?? []).map(generalName.dns),
    ...(options.otherNames ?? []),
  ];
}
