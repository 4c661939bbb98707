import { createRoot } from '../../core/issuance/root.ts';
import { openSigner } from '../../core/issuance/ca-signer.ts';
import { ok } from '../../core/kernel/result.ts';
import { newKeyFile } from './issuing-ca.ts';

import type { CaSigner } from '../../core/issuance/ca-signer.ts';
import type { KeyKind } from '../../core/issuance/signing-key.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { CaDeps } from './issuing-ca.ts';
import type { NewRoot } from './signer-rows.ts';

/** Life of a root and of an issuing CA where nothing else is asked, milliseconds: ten years, one year. */
export const DEFAULT_ROOT_TTL_MS = 10 * 365 * 86_400_000;
export const DEFAULT_ISSUING_TTL_MS = 365 * 86_400_000;

/** What a root is to be. */
export type NewRootRequest = {
  readonly keyKind: KeyKind;
  readonly ttlMs: number;
  /** Where its key is written; default: a file in the folder, from where it should be moved to a safe place. */
  readonly keyFile?: string | undefined;
};

/** A root at hand, not stored yet. */
export type MadeRoot = { readonly signer: CaSigner; readonly row: Omit<NewRoot, 'state' | 'crl'> };

/** Makes a root; its key is written down before anything is signed by it. */
export async function makeRoot(
  store: AuthorityStore,
  trustDomain: TrustDomain,
  { keyKind, ttlMs, keyFile }: NewRootRequest,
  deps: CaDeps,
): Promise<Result<MadeRoot, string>> {
  const key = await newKeyFile(store, trustDomain, 'root', keyKind, keyFile);
  if (!key.ok) return key;
  const { privateKey, reference } = key.value;
  const root = await createRoot(trustDomain, { ttlMs, keyKind, privateKey }, deps);
  if (!root.ok) return root;
  const { der } = root.value;
  const signer = await openSigner({ trustDomain, chain: [], rootDer: der, privateKey }, deps.clock.wallMs());
  if (!signer.ok) return signer;
  return ok({ signer: signer.value, row: { der, keyReference: reference, notAfterMs: signer.value.notAfterMs } });
}
