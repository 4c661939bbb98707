import { importPublicKey, isAcceptedSignature, verifySignature } from '../identity/algorithms.ts';
import { sha256Hex } from '../identity/bytes.ts';
import { readSigned } from '../identity/certificate.ts';
import { constructedTag, DerReader, TAG } from '../identity/der.ts';
import { readOid, readSmallInteger } from '../identity/der-values.ts';
import { readName } from '../identity/distinguished-name.ts';
import { err, ok } from '../kernel/result.ts';
import { knownToAll } from './known-key.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../kernel/result.ts';
import type { IssuanceFault } from '../model/svid.ts';

/** The largest request that is read, in bytes: one with an RSA key of 8192 bits has some 2,300. */
export const MAX_CSR_BYTES = 65_536;

/** All that is ever taken out of a request: a key, of a kind and size that peers' keys may have, whose owner signed the request. Made by `readCsr` only. */
export type CertificateRequest = {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** SHA-256 of it, lower-case hexadecimal. */
  readonly spkiSha256: string;
  readonly publicKey: KeyObject;
};

/**
 * Reads a PKCS #10 certification request (RFC 2986 4) from strict DER of at most 64 KiB, and checks its key by the rules for peers' keys and
 * that it signed the request, which is the proof of possession. Names, attributes and the extensions that they ask for are read over: they
 * change nothing in what is issued. Never throws. What it gives is a copy.
 * Faults: `csr_malformed`, `csr_key_refused`, `csr_signature_invalid`.
 */
export function readCsr(der: Uint8Array): Result<CertificateRequest, IssuanceFault> {
  if (der.length > MAX_CSR_BYTES) return refused('csr_malformed', `over ${MAX_CSR_BYTES} bytes`);
  const reader = new DerReader(der);
  const { spki, ...signed } = readRequest(reader);
  if (reader.failure !== undefined) return refused('csr_malformed', reader.failure);
  const key = importPublicKey(spki);
  if (!key.ok) return refused('csr_key_refused', key.error.detail);
  const known = knownToAll(key.value.key);
  if (known !== undefined) return refused('csr_key_refused', known);
  if (!isAcceptedSignature(signed.signatureAlgorithm)) {
    return refused('csr_signature_invalid', `algorithm ${signed.signatureAlgorithm.slice(0, 64)} is not accepted`);
  }
  if (!verifySignature(signed, key.value)) return refused('csr_signature_invalid', 'not by the key of the request');
  // A copy: what is kept of a request is not the whole of it.
  return ok(Object.freeze({ spki: Uint8Array.from(spki), spkiSha256: sha256Hex(spki), publicKey: key.value.key }));
}

function refused(kind: IssuanceFault['kind'], detail: string): Result<never, IssuanceFault> {
  return err({ kind, detail: `certificate request: ${detail}` });
}

type SignedRequest = {
  readonly tbs: Uint8Array;
  readonly signature: Uint8Array;
  readonly signatureAlgorithm: string;
  readonly spki: Uint8Array;
};

function readRequest(reader: DerReader): SignedRequest {
  const { tbs, content, algorithm, signature } = readSigned(reader, 'request');
  if (readSmallInteger(content, 'version') !== 0) content.fail('version: not 1');
  readName(content, 'subject');
  const spki = content.whole(TAG.sequence, 'public key');
  readAttributes(content.enter(constructedTag(0), 'attributes'));
  content.close('request content');
  return { tbs, signature, signatureAlgorithm: algorithm.toHex(), spki };
}

/** Each is a type and a set of values (RFC 2986 4.1); what the values say is nobody's business here. */
function readAttributes(attributes: DerReader): void {
  while (!attributes.atEnd) {
    const attribute = attributes.enter(TAG.sequence, 'attribute');
    readOid(attribute, 'attribute type');
    attribute.whole(TAG.set, 'attribute values');
    attribute.close('attribute');
  }
}
