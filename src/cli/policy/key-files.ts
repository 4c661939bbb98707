import { createPublicKey } from 'node:crypto';

import { createSigningKey, createVerificationKey } from '../../core/bundle/signature-key.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { readBounded } from '../../io/sources/read-file.ts';

import type { BundleFault } from '../../core/bundle/fault.ts';
import type { SigningKey } from '../../core/bundle/signature-key.ts';
import type { Verification } from '../../core/bundle/verify-signature.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { KeyOptions } from '../define-policy-bundle.ts';

const MAX_KEY = 64 * 1_024;
/** Name of a key that was given none: a bundle that names no key is verified with it. */
const UNNAMED = 'key';

type KeyFile = KeyOptions & { readonly key: string };

/** The key to sign with, from a file: PEM, or the bytes of a secret as they stand. */
export async function readSigningKey({ key, algorithm, keyId, scope }: KeyFile): Promise<Result<SigningKey, string>> {
  const text = await readKeyText(key);
  return text.ok ? named(key, createSigningKey(algorithm, text.value, { keyId, scope })) : text;
}

/** What a signature is verified with: the one key of the command line, whatever the bundle names. */
export async function readVerification({
  key,
  algorithm,
  keyId,
  scope,
}: KeyFile): Promise<Result<Verification, string>> {
  const text = await readKeyText(key);
  if (!text.ok) return text;
  const made = named(key, createVerificationKey(algorithm, text.value, scope));
  if (!made.ok) return made;
  const name = keyId ?? UNNAMED;
  return ok({ keys: new Map([[name, made.value]]), keyId: name, scope });
}

/** Verification of what the key itself has signed. */
export function verificationBy({ algorithm, key, keyId = UNNAMED, scope }: SigningKey): Verification {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return { keys: new Map([[keyId, { algorithm, key: half }]]), keyId, scope };
}

async function readKeyText(path: string): Promise<Result<string, string>> {
  const file = await readBounded(path, MAX_KEY);
  return file.ok ? ok(new TextDecoder().decode(file.value.bytes)) : err(file.error);
}

function named<T>(path: string, result: Result<T, BundleFault>): Result<T, string> {
  return result.ok ? result : err(`${path}: ${result.error.code}: ${result.error.detail}`);
}
