import { createHash } from 'node:crypto';

import { hex } from '../kernel/uuid.ts';
import { ok } from '../kernel/result.ts';
import { baseName, MANIFEST } from './bundle-files.ts';
import { canonicalJson, canonicalObject, goString } from './canonical-json.ts';
import { parseDataYaml } from './data-yaml.ts';
import { utf8 } from './member-name.ts';

import type { Result } from '../kernel/result.ts';

/** Hash algorithms that a signature may name, by OPA's names for them, with Node's. All resist collisions with at least 112 bits; MD5 and SHA-1 do not. */
export const HASHES = {
  'SHA-224': 'sha224',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
  'SHA-512-224': 'sha512-224',
  'SHA-512-256': 'sha512-256',
} as const;

export type HashAlgorithm = keyof typeof HASHES;

/**
 * Lower-case hexadecimal hash of a file as OPA computes it (v1/bundle/verify.go): data files and `.manifest` by what they say, all others by their
 * bytes. A text says why a file that is hashed by what it says cannot be read.
 */
export function fileHash(path: string, bytes: Uint8Array, algorithm: HashAlgorithm): Result<string, string> {
  const content = hashedContent(path, bytes);
  return content.ok ? ok(hex(createHash(HASHES[algorithm]).update(content.value).digest())) : content;
}

function hashedContent(path: string, bytes: Uint8Array): Result<Uint8Array | string, string> {
  const name = baseName(path);
  const isYaml = name === 'data.yaml' || name === 'data.yml';
  if (name !== 'data.json' && name !== MANIFEST && !isYaml) return ok(bytes);
  const text = utf8(bytes);
  if (text === undefined) return { ok: false, error: 'not UTF-8' };
  const json = canonicalJson(text);
  return json.ok || !isYaml ? json : canonicalYaml(text);
}

/** OPA turns YAML into JSON first; its numbers are then Go's, no longer as they were written. */
function canonicalYaml(text: string): Result<string, string> {
  const parsed = parseDataYaml(text);
  if (!parsed.ok) return parsed;
  try {
    return ok(canonical(parsed.value));
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : 'not JSON' };
  }
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'string') return goString(value);
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (Object.getPrototypeOf(value) === null) return JSON.stringify(value);
  return canonicalObject(new Map(Object.entries(value).map(([key, inner]) => [goString(key), canonical(inner)])));
}
