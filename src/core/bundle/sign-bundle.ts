import { ok } from '../kernel/result.ts';
import { baseName, SIGNATURES } from './bundle-files.ts';
import { refuse, show } from './fault.ts';
import { fileHash } from './file-hash.ts';
import { writeJws } from './jws.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { SigningKey } from './signature-key.ts';
import type { Files } from './tar-reader.ts';

/**
 * Text of the `.signatures.json` that covers `files` (all but an older signature), as `opa sign` makes it: SHA-256, data and manifest by what they
 * say. Fails where those cannot be read. The order of the files decides nothing; HS and RS keys give the same text for the same files.
 */
export function signBundle(files: Files, key: SigningKey): Result<string, BundleFault> {
  const listed: { readonly name: string; readonly hash: string; readonly algorithm: string }[] = [];
  for (const name of [...files.keys()].filter((path) => path !== SIGNATURES).sort()) {
    if (baseName(name) === SIGNATURES)
      return refuse(
        'signature_malformed',
        `${show(name)}: a signature belongs at the top of the bundle; remove it before signing`,
      );
    const hash = fileHash(name, files.get(name) ?? new Uint8Array(), 'SHA-256');
    if (!hash.ok) return refuse('data_invalid', `${show(name)} cannot be signed: ${hash.error}`);
    listed.push({ name, hash: hash.value, algorithm: 'SHA-256' });
  }
  const { algorithm, keyId, scope, claims } = key;
  const header = { alg: algorithm, ...(keyId === undefined ? {} : { kid: keyId }), typ: 'JWT' };
  const payload = {
    ...claims,
    files: listed,
    ...(keyId === undefined ? {} : { keyid: keyId }),
    ...(scope === undefined ? {} : { scope }),
  };
  return ok(`${JSON.stringify({ signatures: [writeJws(key, header, payload)] })}\n`);
}
