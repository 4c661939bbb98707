import { concat } from '../../core/kernel/bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { field, fieldUnlessEmpty, readFields, textOf } from './protobuf.ts';

import type { Result } from '../../core/kernel/result.ts';

/** Counts in one message that nobody honest exceeds. */
const MAX_SVIDS = 128;
const MAX_CRLS = 256;
const MAX_BUNDLES = 1024;

/** `X509SVID`: fields as they stand in the message; empty where they are missing. */
export type X509SvidMessage = {
  readonly spiffeId: string;
  /** DER certificates one after the other, leaf first. */
  readonly x509Svid: Uint8Array;
  /** DER of the private key in PKCS#8. */
  readonly x509SvidKey: Uint8Array;
  /** DER certificates of the SVID's own trust domain. */
  readonly bundle: Uint8Array;
  readonly hint: string;
};

/** By the SPIFFE ID of the trust domain: DER certificates one after the other. */
export type BundleMap = ReadonlyMap<string, Uint8Array>;

/** `X509SVIDResponse`. */
export type X509SvidResponse = {
  readonly svids: readonly X509SvidMessage[];
  readonly crls: readonly Uint8Array[];
  readonly federatedBundles: BundleMap;
};

/** `X509BundlesResponse`. */
export type X509BundlesResponse = { readonly crls: readonly Uint8Array[]; readonly bundles: BundleMap };

/** Reads an `X509SVIDResponse`. Form only; unknown fields are passed over. The error is a sentence that never shows what stands in a field. */
export function readX509SvidResponse(message: Uint8Array): Result<X509SvidResponse, string> {
  const svids: X509SvidMessage[] = [];
  const crls: Uint8Array[] = [];
  const federatedBundles = new Map<string, Uint8Array>();
  const wrong = readFields(message, (number, value) => {
    if (number === 1) return addSvid(svids, value);
    if (number === 2) return addCrl(crls, value);
    return number === 3 ? addBundle(federatedBundles, value, 'federated_bundles') : undefined;
  });
  return wrong === undefined ? ok({ svids, crls, federatedBundles }) : err(wrong);
}

/** Reads an `X509BundlesResponse`, as `readX509SvidResponse` does its own. */
export function readX509BundlesResponse(message: Uint8Array): Result<X509BundlesResponse, string> {
  const crls: Uint8Array[] = [];
  const bundles = new Map<string, Uint8Array>();
  const wrong = readFields(message, (number, value) => {
    if (number === 1) return addCrl(crls, value);
    return number === 2 ? addBundle(bundles, value, 'bundles') : undefined;
  });
  return wrong === undefined ? ok({ crls, bundles }) : err(wrong);
}

/** Bytes of an `X509SVIDResponse`. */
export function writeX509SvidResponse({ svids, crls, federatedBundles }: X509SvidResponse): Uint8Array {
  return concat([
    ...svids.map((svid) => field(1, writeSvid(svid))),
    ...crls.map((crl) => field(2, crl)),
    ...writeBundles(3, federatedBundles),
  ]);
}

/** Bytes of an `X509BundlesResponse`. */
export function writeX509BundlesResponse({ crls, bundles }: X509BundlesResponse): Uint8Array {
  return concat([...crls.map((crl) => field(1, crl)), ...writeBundles(2, bundles)]);
}

const EMPTY: Uint8Array = new Uint8Array(0);
const NO_SVID: X509SvidMessage = { spiffeId: '', x509Svid: EMPTY, x509SvidKey: EMPTY, bundle: EMPTY, hint: '' };

function addSvid(svids: X509SvidMessage[], value: Uint8Array): string | undefined {
  if (svids.length === MAX_SVIDS) return `more than ${MAX_SVIDS} svids`;
  let svid = NO_SVID;
  const wrong = readFields(value, (number, content) => {
    if (number === 2) svid = { ...svid, x509Svid: content };
    if (number === 3) svid = { ...svid, x509SvidKey: content };
    if (number === 4) svid = { ...svid, bundle: content };
    if (number !== 1 && number !== 5) return undefined;
    const text = textOf(content);
    if (text === undefined) return number === 1 ? 'spiffe_id is not UTF-8' : 'hint is not UTF-8';
    svid = { ...svid, ...(number === 1 ? { spiffeId: text } : { hint: text }) };
    return undefined;
  });
  svids.push(svid);
  return wrong === undefined ? undefined : `svid ${svids.length}: ${wrong}`;
}

function addCrl(crls: Uint8Array[], value: Uint8Array): string | undefined {
  return crls.push(value) > MAX_CRLS ? `more than ${MAX_CRLS} in crl` : undefined;
}

/** One entry of a map: a message of key and value. A key that comes twice is no message of an honest server: neither value is taken. */
function addBundle(bundles: Map<string, Uint8Array>, entry: Uint8Array, what: string): string | undefined {
  if (bundles.size === MAX_BUNDLES) return `more than ${MAX_BUNDLES} in ${what}`;
  let key: string | undefined = '';
  let bundle = EMPTY;
  const wrong = readFields(entry, (number, value) => {
    if (number === 1) key = textOf(value);
    if (number === 2) bundle = value;
    return undefined;
  });
  if (wrong !== undefined) return `${what}: ${wrong}`;
  if (key === undefined) return `${what}: a key is not UTF-8`;
  if (bundles.has(key)) return `${what}: a key stands twice`;
  bundles.set(key, bundle);
  return undefined;
}

function writeSvid({ spiffeId, x509Svid, x509SvidKey, bundle, hint }: X509SvidMessage): Uint8Array {
  const values = [spiffeId, x509Svid, x509SvidKey, bundle, hint];
  return concat(values.map((value, index) => fieldUnlessEmpty(index + 1, value)));
}

function writeBundles(number: number, bundles: BundleMap): readonly Uint8Array[] {
  return [...bundles].map(([key, value]) => field(number, concat([field(1, key), field(2, value)])));
}
