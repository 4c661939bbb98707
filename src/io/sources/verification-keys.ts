import { createVerificationKey } from '../../core/bundle/signature-key.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { readBounded } from './read-file.ts';

import type { SignatureAlgorithm } from '../../core/bundle/signature-algorithm.ts';
import type { VerificationKey } from '../../core/bundle/signature-key.ts';
import type { Verification } from '../../core/bundle/verify-signature.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Problems } from './problem.ts';

/** `policy.verification` with absolute paths. */
export type VerificationSettings = {
  readonly keys: Readonly<
    Record<
      string,
      {
        readonly algorithm: SignatureAlgorithm;
        readonly file?: string | undefined;
        /** Never to be logged. */
        readonly secret?: string | undefined;
      }
    >
  >;
  readonly keyId?: string | undefined;
  readonly scope?: string | undefined;
};

const MAX_BYTES = 65_536;

/** The keys as they stand now, so that a key can be changed without a restart; undefined where none are configured. Messages never show a key. */
export async function readVerification(
  settings: VerificationSettings | undefined,
): Promise<Result<Verification | undefined, Problems>> {
  if (settings === undefined) return ok(undefined);
  const read = await Promise.all(
    Object.entries(settings.keys).map(
      async ([id, key]) => [id, await readKey(`policy.verification.keys.${id}`, key)] as const,
    ),
  );
  const problems = read.flatMap(([, key]) => (key.ok ? [] : [key.error]));
  if (problems.length > 0) return err(problems);
  const keys = new Map(read.flatMap(([id, key]) => (key.ok ? [[id, key.value] as const] : [])));
  return ok({ keys, keyId: settings.keyId, scope: settings.scope });
}

async function readKey(
  name: string,
  settings: VerificationSettings['keys'][string],
): Promise<Result<VerificationKey, string>> {
  const { algorithm, file, secret } = settings;
  const material = file === undefined ? ok(secret ?? '') : await readMaterial(file, algorithm);
  if (!material.ok) return material;
  const key = createVerificationKey(algorithm, material.value);
  return key.ok ? key : err(`${file ?? name}: ${key.error.code}: ${key.error.detail}`);
}

/** A shared secret signs as well as it verifies: others on the machine may neither read nor change it. Nobody but the owner may change any key. */
async function readMaterial(path: string, algorithm: SignatureAlgorithm): Promise<Result<string, string>> {
  const read = await readBounded(path, MAX_BYTES);
  if (!read.ok) return read;
  const refusedBits = algorithm.startsWith('HS') ? 0o026 : 0o022;
  const { bytes, mode } = read.value;
  if ((mode & refusedBits) === 0) return ok(new TextDecoder().decode(bytes));
  return err(
    `${path}: others can ${(mode & 0o022) === 0 ? 'read' : 'change'} the key (mode ${mode.toString(8)}); chmod 600 it`,
  );
}
