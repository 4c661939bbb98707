import * as der from './der.ts';
import type { Extension } from './pki-certificate.ts';
import { encodeExtensions, signed } from './pki-certificate.ts';
import type { Digest, KeyPair } from './pki-keys.ts';
import { signatureAlgorithm } from './pki-keys.ts';

/** One entry of a list. */
export type RevokedEntry = {
  readonly serial: bigint;
  readonly at?: Date;
  /** CRLReason (RFC 5280 5.3.1). */
  readonly reason?: number;
  readonly extensions?: readonly Extension[];
};

/** What a list says, nothing of it checked. Defaults: thisUpdate an hour ago, nextUpdate in a day, number 1. */
export type CrlOptions = {
  readonly revoked?: readonly (bigint | RevokedEntry)[];
  readonly thisUpdate?: Date;
  /** null leaves it out. */
  readonly nextUpdate?: Date | null;
  readonly number?: bigint;
  /** Key identifier of the signer; null leaves the extension out. Default: the authority's own. */
  readonly authorityKeyId?: Uint8Array | null;
  /** Base number of a delta list: adds the critical delta indicator. */
  readonly deltaOf?: bigint;
  readonly extensions?: readonly Extension[];
  readonly version?: 1 | 2;
  readonly issuer?: Uint8Array;
  readonly keys?: KeyPair;
  readonly digest?: Digest;
  readonly breakSignature?: boolean;
  readonly outerAlgorithm?: Uint8Array;
};

/** What the signing authority fills in. */
export type CrlSigner = { readonly name: Uint8Array; readonly keys: KeyPair; readonly keyId: Uint8Array };

const HOUR = 3_600_000;

/** A CertificateList (RFC 5280 5.1), DER. */
export function encodeCrl(options: CrlOptions, signer: CrlSigner): Uint8Array {
  const keys = options.keys ?? signer.keys;
  const algorithm = signatureAlgorithm(keys, options.digest ?? 'sha256');
  const version = options.version ?? 2;
  const nextUpdate = options.nextUpdate === undefined ? new Date(Date.now() + 24 * HOUR) : options.nextUpdate;
  const entries = (options.revoked ?? []).map(encodeEntry);
  const tbs = der.sequence(
    ...(version === 1 ? [] : [der.integer(version - 1)]),
    algorithm,
    options.issuer ?? signer.name,
    der.time(options.thisUpdate ?? new Date(Date.now() - HOUR)),
    ...(nextUpdate === null ? [] : [der.time(nextUpdate)]),
    ...(entries.length === 0 ? [] : [der.sequence(Buffer.concat(entries))]),
    ...(version === 1 ? [] : [der.context(0, encodeExtensions(crlExtensions(options, signer)))]),
  );
  return signed(tbs, algorithm, {
    keys,
    digest: options.digest,
    breakSignature: options.breakSignature,
    outerAlgorithm: options.outerAlgorithm,
  });
}

function crlExtensions(options: CrlOptions, signer: CrlSigner): readonly Extension[] {
  const keyId = options.authorityKeyId === undefined ? signer.keyId : options.authorityKeyId;
  const number = der.integer(options.number ?? 1n);
  const list: Extension[] = [{ oid: '2.5.29.20', critical: false, value: number }];
  if (keyId !== null) {
    list.push({ oid: '2.5.29.35', critical: false, value: der.sequence(der.contextPrimitive(0, keyId)) });
  }
  if (options.deltaOf !== undefined) {
    list.push({ oid: '2.5.29.27', critical: true, value: der.integer(options.deltaOf) });
  }
  return [...list, ...(options.extensions ?? [])];
}

function encodeEntry(entry: bigint | RevokedEntry): Uint8Array {
  const { serial, at, reason, extensions = [] } = typeof entry === 'bigint' ? { serial: entry } : entry;
  const all = [...extensions];
  if (reason !== undefined) {
    all.unshift({ oid: '2.5.29.21', critical: false, value: der.tlv(0x0a, Buffer.from([reason])) });
  }
  const date = der.time(at ?? new Date(Date.now() - 2 * HOUR));
  return der.sequence(der.integer(serial), date, ...(all.length === 0 ? [] : [encodeExtensions(all)]));
}

/** IssuingDistributionPoint (RFC 5280 5.2.5), critical as it must be. */
export function issuingDistributionPoint(scope: {
  readonly uri?: string;
  readonly onlyUserCerts?: boolean;
  readonly onlyCaCerts?: boolean;
  readonly onlySomeReasons?: boolean;
  readonly indirect?: boolean;
  readonly onlyAttributeCerts?: boolean;
}): Extension {
  const truth = Buffer.from([0xff]);
  const parts: Uint8Array[] = [];
  if (scope.uri !== undefined) {
    parts.push(der.context(0, der.context(0, der.contextPrimitive(6, Buffer.from(scope.uri)))));
  }
  if (scope.onlyUserCerts === true) parts.push(der.contextPrimitive(1, truth));
  if (scope.onlyCaCerts === true) parts.push(der.contextPrimitive(2, truth));
  if (scope.onlySomeReasons === true) parts.push(der.contextPrimitive(3, Buffer.from([6, 0x40])));
  if (scope.indirect === true) parts.push(der.contextPrimitive(4, truth));
  if (scope.onlyAttributeCerts === true) parts.push(der.contextPrimitive(5, truth));
  return { oid: '2.5.29.28', critical: true, value: der.sequence(...parts) };
}
