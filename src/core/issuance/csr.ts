import { importPublicKey, isAcceptedSignature, verifySignature } from '../identity/algorithms.ts';
import { sha256Hex } from '../identity/bytes.ts';
import { readSigned } from '../identity/certificate.ts';
import { constructedTag, DerReader, TAG } from '../identity/der.ts';
import { readSmallInteger } from '../identity/der-values.ts';
import { readName } from '../identity/distinguished-name.ts';
import { err, ok } from '../kernel/result.ts';
import { judgeWishes, readAttributes } from './csr-wishes.ts';
import { knownToAll } from './known-key.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../kernel/result.ts';
import type { IssuanceFault } from '../model/svid.ts';
import type { Wishes } from './csr-wishes.ts';

/** The largest request that is read, in bytes: one with an RSA key of 8192 bits has some 2,300. */
export const MAX_CSR_BYTES = 65_536;

/** All that is ever taken out of a request: a key, of a kind and size that peers' keys may have, whose owner signed the request. */
export type ProvenKey = {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** SHA-256 of it, lower-case hexadecimal. */
  readonly spkiSha256: string;
  readonly publicKey: KeyObject;
};

/** The request of a workload: a key, and what must be true of the ID that it is given. Made by `readCsr` only. */
export type CertificateRequest = ProvenKey & {
  /** URIs that it asks for, at most one: `issueSvid` refuses any but the ID that is granted. */
  readonly uris: readonly string[];
};

/**
 * Reads a workload's PKCS #10 certification request (RFC 2986 4) from strict DER of at most 64 KiB, checks its key by the rules for peers' keys,
 * that it signed the request, which is the proof of possession, and that no extension request (RFC 2985 5.4.2) asks for what no workload may
 * have: to be a CA, more than one URI, or names that cannot be read, such as more than 128. Subjects, names of other forms, as ordinary tools
 * write them, and other extensions are read over: they change nothing in what is issued. Never throws. What it gives is a copy.
 * Faults, in this order: `csr_malformed`, `csr_key_refused`, `csr_signature_invalid`, `csr_asks_for_more`.
 */
export function readCsr(der: Uint8Array): Result<CertificateRequest, IssuanceFault> {
  const proven = readProven(der);
  if (!proven.ok) return proven;
  const uris = judgeWishes(proven.value.wishes);
  if (!uris.ok) return refused('csr_asks_for_more', uris.error);
  return ok(Object.freeze({ ...proven.value.key, uris: Object.freeze(uris.value) }));
}

/** `readCsr` for the request of a CA to be, which may ask for what it likes: what a CA may do is said by who signs it. */
export function readCaCsr(der: Uint8Array): Result<ProvenKey, IssuanceFault> {
  const proven = readProven(der);
  return proven.ok ? ok(Object.freeze(proven.value.key)) : proven;
}

type Proven = { readonly key: ProvenKey; readonly wishes: readonly Wishes[] };

function readProven(der: Uint8Array): Result<Proven, IssuanceFault> {
  if (der.length > MAX_CSR_BYTES) return refused('csr_malformed', `over ${MAX_CSR_BYTES} bytes`);
  const reader = new DerReader(der);
  const { spki, wishes, ...signed } = readRequest(reader);
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
  const kept = { spki: Uint8Array.from(spki), spkiSha256: sha256Hex(spki), publicKey: key.value.key };
  return ok({ key: kept, wishes });
}

function refused(kind: IssuanceFault['kind'], detail: string): Result<never, IssuanceFault> {
  return err({ kind, detail: `certificate request: ${detail}` });
}

type SignedRequest = {
  readonly tbs: Uint8Array;
  readonly signature: Uint8Array;
  readonly signatureAlgorithm: string;
  readonly spki: Uint8Array;
  readonly wishes: readonly Wishes[];
};

function readRequest(reader: DerReader): SignedRequest {
  const { tbs, content, algorithm, signature } = readSigned(reader, 'request');
  if (readSmallInteger(content, 'version') !== 0) content.fail('version: not 1');
  readName(content, 'subject');
  const spki = content.whole(TAG.sequence, 'public key');
  const wishes = readAttributes(content.enter(constructedTag(0), 'attributes'));
  content.close('request content');
  return { tbs, signature, signatureAlgorithm: algorithm.toHex(), spki, wishes };
}
