import { createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';

import { createRoot } from '../../core/issuance/root.ts';
import { openSigner } from '../../core/issuance/ca-signer.ts';
import { kindOfKey } from '../../core/issuance/signing-key.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { existingKey, newKeyFile } from './issuing-ca.ts';
import { keyPath } from './key-files.ts';

import type { CaSigner } from '../../core/issuance/ca-signer.ts';
import type { KeyKind } from '../../core/issuance/signing-key.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { CaDeps, KeyAtHand } from './issuing-ca.ts';
import type { NewRoot } from './signer-rows.ts';

/** What a root is to be. */
export type NewRootRequest = {
  /** Of a new key. */
  readonly keyKind: KeyKind;
  readonly ttlMs: number;
  /**
   * Its key, where that file is there already (or refers to a key in a token); otherwise where a new one is written. Default: a new file in the
   * folder, from where it should be moved to a safe place.
   */
  readonly keyFile?: string | undefined;
};

/** A root at hand, not stored yet. */
export type MadeRoot = { readonly signer: CaSigner; readonly row: Omit<NewRoot, 'state' | 'crl'> };

/** Makes a root; its key, where it is new, is written down before anything is signed by it. */
export async function makeRoot(
  store: AuthorityStore,
  trustDomain: TrustDomain,
  { keyKind: newKind, ttlMs, keyFile }: NewRootRequest,
  deps: CaDeps,
): Promise<Result<MadeRoot, string>> {
  const isThere = keyFile !== undefined && existsSync(keyPath(store.folder, keyFile));
  const key = isThere
    ? await existingKey(keyFile, deps)
    : await newKeyFile(store, { trustDomain, what: 'root', keyKind: newKind, path: keyFile }, deps);
  if (!key.ok) return key;
  const { privateKey, reference } = key.value;
  const keyKind = kindOf(key.value);
  if (keyKind === undefined) return err(`${reference}: the key is neither ECDSA on P-256 nor Ed25519`);
  const root = await createRoot(trustDomain, { ttlMs, keyKind, privateKey }, deps);
  if (!root.ok) return root;
  const { der } = root.value;
  const signer = await openSigner({ trustDomain, chain: [], rootDer: der, privateKey }, deps.clock.wallMs());
  if (!signer.ok) return signer;
  return ok({ signer: signer.value, row: { der, keyReference: reference, notAfterMs: signer.value.notAfterMs } });
}

function kindOf({ privateKey }: KeyAtHand): KeyKind | undefined {
  return kindOfKey(createPublicKey(privateKey));
}
