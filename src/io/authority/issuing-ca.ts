import { createPublicKey } from 'node:crypto';

import { createIntermediate } from '../../core/issuance/intermediate.ts';
import { openSigner } from '../../core/issuance/ca-signer.ts';
import { makeCrl } from '../../core/issuance/crl.ts';
import { generateKeyPair, spkiOf } from '../../core/issuance/signing-key.ts';
import { parseCertificate } from '../../core/identity/certificate.ts';
import { sha256Hex } from '../../core/identity/bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { keyPath, writeKeyFile } from './key-files.ts';
import { insertSigner, setSignerRevoked, storedSigners, storeRootCrl } from './signer-rows.ts';

import type { KeyObject } from 'node:crypto';
import type { CaSigner } from '../../core/issuance/ca-signer.ts';
import type { IssuanceDeps } from '../../core/issuance/deps.ts';
import type { KeyKind } from '../../core/issuance/signing-key.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore, Transaction } from './authority-store.ts';
import type { EncodeKey, OpenCaKey } from './key-files.ts';
import type { StoredRoot, StoredSigner } from './signer-rows.ts';

/** Time, randomness and keys for whoever changes CAs. */
export type CaDeps = IssuanceDeps & {
  readonly openKey: OpenCaKey;
  /** How new keys are written. Default: unencrypted. */
  readonly encodeKey?: EncodeKey | undefined;
};

/** What an issuing CA is to be. */
export type IssuingRequest = {
  /** Milliseconds from now, cut down to the end of the root. */
  readonly ttlMs: number;
  /** A new key in a file of the folder, or one that lies elsewhere already. */
  readonly key:
    | { readonly kind: 'new'; readonly keyKind: KeyKind }
    | { readonly kind: 'existing'; readonly reference: string };
};

/** Signed and not yet stored. */
export type IssuingCa = {
  readonly der: Uint8Array;
  readonly keyReference: string;
  readonly notAfterMs: number;
};

/** Has a root sign an issuing CA; its key, where it is new, is written down before it is certified. Its own first signature is tried here. */
export async function makeIssuingCa(
  store: AuthorityStore,
  root: CaSigner,
  { key, ttlMs }: IssuingRequest,
  deps: CaDeps,
): Promise<Result<IssuingCa, string>> {
  const opened =
    key.kind === 'new'
      ? await newKeyFile(store, { trustDomain: root.trustDomain, what: 'issuing', keyKind: key.keyKind }, deps)
      : await existingKey(key.reference, deps);
  if (!opened.ok) return opened;
  const { reference, privateKey } = opened.value;
  const name = `Sallyport issuing CA of ${root.trustDomain}`;
  const der = await createIntermediate(root, { publicKey: createPublicKey(privateKey), ttlMs, name }, deps);
  if (!der.ok) return der;
  const parts = { trustDomain: root.trustDomain, chain: [der.value, ...root.chain], rootDer: root.root, privateKey };
  // A token may have a key, and nothing to sign with it.
  const signer = await openSigner(parts, deps.clock.wallMs());
  if (!signer.ok) return err(`${reference}: ${signer.error}`);
  return ok({ der: der.value, keyReference: reference, notAfterMs: signer.value.certificate.notAfterMs });
}

/** A private key with where it lies. */
export type KeyAtHand = { readonly reference: string; readonly privateKey: KeyObject };

/** Makes a key and writes it into the folder, or to `path`; a name with its fingerprint, so that no key ever takes the place of another. */
export async function newKeyFile(
  store: AuthorityStore,
  wanted: {
    readonly trustDomain: TrustDomain;
    readonly what: 'root' | 'issuing';
    readonly keyKind: KeyKind;
    readonly path?: string | undefined;
  },
  { encodeKey }: Pick<CaDeps, 'encodeKey'>,
): Promise<Result<KeyAtHand, string>> {
  const { trustDomain, what, keyKind, path } = wanted;
  const { privateKey } = generateKeyPair(keyKind);
  const reference = path ?? `${trustDomain}.${what}-${sha256Hex(spkiOf(privateKey)).slice(0, 8)}.key`;
  try {
    await writeKeyFile(keyPath(store.folder, reference), privateKey, encodeKey);
    return ok({ reference, privateKey });
  } catch (error) {
    return err(error instanceof Error ? error.message : 'the key cannot be written');
  }
}

/** Opens a key that is there already. */
export async function existingKey(
  reference: string,
  { openKey }: Pick<CaDeps, 'openKey'>,
): Promise<Result<KeyAtHand, string>> {
  const opened = await openKey(reference);
  return opened.ok ? ok({ reference, privateKey: opened.value }) : opened;
}

/** Opens a root's own key, which need not be where it was written. */
export async function openRoot(
  trustDomain: TrustDomain,
  root: Pick<StoredRoot, 'der' | 'keyReference'>,
  rootKey: string | undefined,
  deps: CaDeps,
): Promise<Result<CaSigner, string>> {
  const reference = rootKey ?? root.keyReference;
  const privateKey = await deps.openKey(reference);
  if (!privateKey.ok) return err(`the root's key is needed for this, and cannot be opened: ${privateKey.error}`);
  const opened = await openSigner(
    { trustDomain, chain: [], rootDer: root.der, privateKey: privateKey.value },
    deps.clock.wallMs(),
  );
  return opened.ok ? opened : err(`${reference}: ${opened.error}`);
}

/** How much longer than its newest issuing CA a root's list should be in force, milliseconds: a day to notice. */
export const LIST_MARGIN_MS = 86_400_000;

/**
 * Signs a root's list of the issuing CAs that it revoked. The root's key is away most of the time, so it is in force until `untilMs`, after the end
 * of the issuing CA for whose sake the key is at hand.
 */
export async function makeRootList(
  root: CaSigner,
  signers: readonly StoredSigner[],
  number: number,
  untilMs: number,
  deps: IssuanceDeps,
): Promise<Result<Uint8Array, string>> {
  const revoked = signers.flatMap(({ chain: [der], revokedMs }) => {
    const certificate = der === undefined || revokedMs === undefined ? undefined : parseCertificate(der);
    return certificate?.ok === true && revokedMs !== undefined
      ? [{ serial: certificate.value.serial, atMs: revokedMs }]
      : [];
  });
  const ttlMs = untilMs - deps.clock.wallMs();
  return makeCrl(root, { revoked, number, ttlMs }, deps);
}

/** What `putToWork` stores together. */
export type NewIssuing = {
  readonly root: number;
  readonly ca: IssuingCa;
  readonly rootList: { readonly der: Uint8Array; readonly number: number };
  /** The CA that is revoked by this. */
  readonly revoked: StoredSigner | undefined;
  readonly atMs: number;
};

/** Stores an issuing CA with its root's new list, and lets it issue from now on. False where another list of the root came first. */
export function putToWork(transaction: Transaction, { root, ca, rootList, revoked, atMs }: NewIssuing): boolean {
  const { database, record } = transaction;
  if (!storeRootCrl(database, root, rootList.number, rootList.der)) return false;
  const { der, keyReference, notAfterMs } = ca;
  insertSigner(database, { root, chain: [der], keyReference, notAfterMs, crlNumber: 0 }, atMs);
  record({ event: 'issuer-added', atMs, sha256: sha256Hex(der) });
  const [revokedDer] = revoked?.chain ?? [];
  if (revoked !== undefined && revokedDer !== undefined) {
    setSignerRevoked(database, revoked.signer, atMs);
    record({ event: 'issuer-revoked', atMs, sha256: sha256Hex(revokedDer) });
  }
  return true;
}

/** CAs below a root that have issued. */
export function signersBelow(store: AuthorityStore, root: number): Result<readonly StoredSigner[], string> {
  return store.read((database) => storedSigners(database).filter((signer) => signer.root === root));
}
