import { createPrivateKey, X509Certificate } from 'node:crypto';

import { err, ok } from '../../core/kernel/result.ts';
import { isRecord } from './api-resource.ts';

import type { KeyedCertificate } from '../../core/issuance/serving-certificate.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { KubeObject } from './api-resource.ts';

/** A certificate as it stands in the Secret. Times in milliseconds since the epoch; `fingerprint`: SHA-256 of its DER. */
export type StoredCertificate = {
  readonly certificate: string;
  readonly fingerprint: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

/** A certificate with its key. */
export type StoredPair = StoredCertificate & KeyedCertificate;

/** Everything that the replicas share. */
export type ServingState = {
  /** Signs leaves. */
  readonly authority: StoredPair;
  readonly leaf: StoredPair;
  /** Will sign leaves once every caller believes it. */
  readonly next: StoredPair | undefined;
  /** Signed leaves before; believed until the last of them has ended. */
  readonly old: (StoredCertificate & { readonly untilMs: number }) | undefined;
};

/** Names in the Secret's `data`. `tls.crt`, `tls.key` and `ca.crt` are what others call them too. */
const KEYS = {
  leaf: ['tls.crt', 'tls.key'],
  authority: ['ca.crt', 'ca.key'],
  next: ['next-ca.crt', 'next-ca.key'],
  old: ['old-ca.crt', 'old-ca-until'],
} as const;

const OURS: ReadonlySet<string> = new Set(Object.values(KEYS).flat());
/** A certificate or key of P-256 is about 1 KiB. */
const MAX_VALUE = 16_384;

/** Reads a certificate with its key, which have to belong together. The error holds nothing of either. */
export function readPair(certificate: string, privateKey: string, what: string): Result<StoredPair, string> {
  const stored = readCertificate(certificate, what);
  if (!stored.ok) return stored;
  try {
    const fits = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
    return fits ? ok({ ...stored.value, privateKey }) : err(`${what}: the key is not that of the certificate`);
  } catch {
    return err(`${what}: the key cannot be read; is it PEM, not encrypted?`);
  }
}

function readCertificate(certificate: string, what: string): Result<StoredCertificate, string> {
  try {
    const { fingerprint256, validFromDate, validToDate } = new X509Certificate(certificate);
    const [notBeforeMs, notAfterMs] = [validFromDate.getTime(), validToDate.getTime()];
    return ok({ certificate, fingerprint: fingerprint256, notBeforeMs, notAfterMs });
  } catch {
    return err(`${what}: is no certificate in PEM`);
  }
}

/** SHA-256 of a certificate's DER; undefined for what is none. */
export function fingerprintOf(pem: string): string | undefined {
  const read = readCertificate(pem, '');
  return read.ok ? read.value.fingerprint : undefined;
}

/** Reads what stands in the Secret. It is no good where anything does not belong together, or the leaf is not for each of `dnsNames`. */
export function readServingSecret(secret: KubeObject, dnsNames: readonly string[]): Result<ServingState, string> {
  const text = textsOf(secret);
  const authority = readPair(text(KEYS.authority[0]), text(KEYS.authority[1]), 'ca.crt');
  if (!authority.ok) return authority;
  const leaf = readPair(text(KEYS.leaf[0]), text(KEYS.leaf[1]), 'tls.crt');
  if (!leaf.ok) return leaf;
  const certificate = new X509Certificate(leaf.value.certificate);
  if (!certificate.verify(new X509Certificate(authority.value.certificate).publicKey))
    return err('tls.crt: is not signed by ca.crt');
  const missing = dnsNames.find((name) => certificate.checkHost(name) === undefined);
  if (missing !== undefined) return err(`tls.crt: is not for ${missing}`);
  const next = readNext(text);
  if (!next.ok) return next;
  const old = readOld(text);
  return old.ok ? ok({ authority: authority.value, leaf: leaf.value, next: next.value, old: old.value }) : old;
}

type Texts = (key: string) => string;

function readNext(text: Texts): Result<StoredPair | undefined, string> {
  const [certificate, key] = KEYS.next.map(text);
  return certificate === '' && key === '' ? ok(undefined) : readPair(certificate ?? '', key ?? '', KEYS.next[0]);
}

function readOld(text: Texts): Result<ServingState['old'], string> {
  const [certificate = '', until = ''] = KEYS.old.map(text);
  if (certificate === '' && until === '') return ok(undefined);
  const stored = readCertificate(certificate, KEYS.old[0]);
  if (!stored.ok) return stored;
  const untilMs = Date.parse(until);
  return Number.isNaN(untilMs) ? err(`${KEYS.old[1]}: is no moment`) : ok({ ...stored.value, untilMs });
}

/** The `data` of a Secret as text; empty for what is missing, too long, or no base64. */
function textsOf({ data }: KubeObject): Texts {
  const record = isRecord(data) ? data : {};
  return (key) => {
    const value = Object.hasOwn(record, key) ? record[key] : undefined;
    if (typeof value !== 'string' || value.length > MAX_VALUE) return '';
    return Buffer.from(value, 'base64').toString('utf8');
  };
}

/** The Secret with this state; whatever else stands in `secret`, and its resourceVersion, stays. */
export function writeServingSecret(secret: KubeObject, state: ServingState): KubeObject {
  const others = Object.entries(isRecord(secret['data']) ? secret['data'] : {}).filter(([key]) => !OURS.has(key));
  const { authority, leaf, next, old } = state;
  const texts = [
    ...pair(KEYS.authority, authority),
    ...pair(KEYS.leaf, leaf),
    ...(next === undefined ? [] : pair(KEYS.next, next)),
    ...(old === undefined
      ? []
      : ([
          [KEYS.old[0], old.certificate],
          [KEYS.old[1], isoOf(old.untilMs)],
        ] as const)),
  ];
  const ours = texts.map(([key, value]) => [key, Buffer.from(value).toString('base64')] as const);
  return { ...secret, data: Object.fromEntries([...others, ...ours]) };
}

function pair(
  [certificateKey, privateKeyKey]: readonly [string, string],
  { certificate, privateKey }: KeyedCertificate,
): readonly (readonly [string, string])[] {
  return [
    [certificateKey, certificate],
    [privateKeyKey, privateKey],
  ];
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
