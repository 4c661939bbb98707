import { importPublicKey, verifySignature } from '../identity/algorithms.ts';
import { createTrustStore } from '../identity/trust-store.ts';
import { err, ok } from '../kernel/result.ts';
import { openStandIn, pathProblem, readCas } from './ca-chain.ts';
import { kindOfKey, signatureAlgorithm, signBytes } from './signing-key.ts';

import type { KeyObject } from 'node:crypto';
import type { PublicKey } from '../identity/algorithms.ts';
import type { Certificate } from '../identity/certificate.ts';
import type { TrustStore } from '../identity/trust-store.ts';
import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { KeyKind } from './signing-key.ts';
import type { StandIn } from './stand-in.ts';
import type { Validity } from './validity.ts';

/** Something that signs with a CA's key. Made by `openSigner` only. `notBeforeMs` and `notAfterMs`: when the CA and all above it are valid. */
export type CaSigner = Validity & {
  readonly trustDomain: TrustDomain;
  /** The CA's own certificate, as identity reads it. */
  readonly certificate: Certificate;
  /** DER of this CA and of the CAs between it and the root, without the root: what follows a leaf. Empty where it is itself the root. */
  readonly chain: readonly Uint8Array[];
  /** DER of the root. */
  readonly root: Uint8Array;
  /** The trust that a peer with this root has: what is signed is judged by it. */
  readonly trust: TrustStore;
  readonly keyKind: KeyKind;
  /** Signs bytes with the CA's key, which never comes out of here: it may live in a token. Rejects where the key cannot be used. */
  readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>;
  /** The same CA under a key that nobody believes: what is to be signed is signed by it first, and judged. */
  readonly standIn: StandIn;
  /** SubjectPublicKeyInfo of every CA from this one to the root. */
  readonly caKeys: readonly Uint8Array[];
};

/** What a signer is opened from. */
export type SignerParts = {
  readonly trustDomain: TrustDomain;
  /** DER of the signing CA, then of the CAs above it in order, without the root. Empty where the root itself signs. */
  readonly chain: readonly Uint8Array[];
  readonly rootDer: Uint8Array;
  /** Only ever asked to sign; it need not be exportable. */
  readonly privateKey: KeyObject;
};

/**
 * Takes up a CA: its key is ECDSA P-256 or Ed25519 and fits its certificate, its chain leads to the root as it stands, everything is valid at
 * `atMs` (milliseconds since the epoch), and a leaf under it would pass as client and as server, all by identity's rules. The error says what
 * is wrong, and nothing of the key.
 */
export async function openSigner(parts: SignerParts, atMs: number): Promise<Result<CaSigner, string>> {
  const { trustDomain, chain, rootDer, privateKey } = parts;
  const trust = createTrustStore(new Map([[trustDomain, [rootDer]]]));
  if (!trust.ok) return err(`root: ${trust.error.map(({ detail }) => detail).join('; ')}`);
  const cas = readCas([...chain, rootDer]);
  if (!cas.ok) return cas;
  const [certificate] = cas.value;
  const key = signingKey(certificate);
  if (!key.ok) return key;
  const { kind } = key.value;
  const sign = (bytes: Uint8Array): Promise<Uint8Array> => signBytes(kind, privateKey, bytes);
  const wrong = pathProblem(cas.value, trust.value, trustDomain, atMs) ?? (await keyProblem(sign, key.value));
  if (wrong !== undefined) return err(wrong);
  const standIn = await openStandIn(trustDomain, cas.value, kind, atMs);
  if (!standIn.ok) return standIn;
  const notBeforeMs = Math.max(...cas.value.map((ca) => ca.notBeforeMs));
  const notAfterMs = Math.min(...cas.value.map((ca) => ca.notAfterMs));
  return ok(
    Object.freeze({
      trustDomain,
      certificate,
      chain: cas.value.slice(0, -1).map(({ der }) => der),
      root: cas.value.at(-1)?.der ?? certificate.der,
      trust: trust.value,
      notBeforeMs,
      notAfterMs,
      keyKind: kind,
      sign,
      standIn: standIn.value,
      caKeys: cas.value.map(({ spki }) => spki),
    }),
  );
}

type SigningKey = { readonly kind: KeyKind; readonly publicKey: PublicKey };

function signingKey({ spki }: Certificate): Result<SigningKey, string> {
  const publicKey = importPublicKey(spki);
  if (!publicKey.ok) return err(publicKey.error.detail);
  const kind = kindOfKey(publicKey.value.key);
  return kind === undefined
    ? err('the key is neither ECDSA on P-256 nor Ed25519')
    : ok({ kind, publicKey: publicKey.value });
}

/** No DER begins with this octet, so that what is signed here can never be taken for a part of a certificate. */
const PROBE = new TextEncoder().encode('~ is this the key of the certificate?');

async function keyProblem(
  sign: (bytes: Uint8Array) => Promise<Uint8Array>,
  { kind, publicKey }: SigningKey,
): Promise<string | undefined> {
  let signature: Uint8Array;
  try {
    signature = await sign(PROBE);
  } catch {
    return 'the key does not sign; is it a private key of the kind of the certificate, and its token there?';
  }
  const signatureText = signatureAlgorithm(kind).toHex();
  const fits = verifySignature({ tbs: PROBE, signature, signatureAlgorithm: signatureText }, publicKey);
  return fits ? undefined : 'the key is not that of the certificate';
}
