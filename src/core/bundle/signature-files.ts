import * as z from 'zod';

import { ok } from '../kernel/result.ts';
import { SIGNATURES } from './bundle-files.ts';
import { refuse, show } from './fault.ts';
import { HASHES } from './file-hash.ts';
import { memberName, utf8 } from './member-name.ts';
import { parseUniqueJson } from './unique-json.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { HashAlgorithm } from './file-hash.ts';

/** Longest `.signatures.json`, in bytes: a thousand characters for each of the most files that a bundle may have. */
const MAX_SIGNATURES = 16_777_216;

/** One file as a signature lists it. */
export type SignedFile = { readonly hash: string; readonly algorithm: HashAlgorithm };

/** What a signature says (OPA documentation, "Signature Format"). */
export type SignaturePayload = {
  /** By name, in the form of `memberName`. */
  readonly files: ReadonlyMap<string, SignedFile>;
  readonly scope: string;
};

const fileSchema = z.object({
  signatures: z.array(z.string()),
  plugin: z.enum(['', '_default']).optional(),
});

const payloadSchema = z.object({
  files: z.array(z.object({ name: z.string(), hash: z.string().regex(/^(?:[0-9a-f]{2})+$/i), algorithm: z.string() })),
  scope: z.string().optional(),
});

/** The one token in `.signatures.json`. */
export function readSignatures(bytes: Uint8Array): Result<string, BundleFault> {
  if (bytes.length > MAX_SIGNATURES) return refuse('too_large', `${SIGNATURES} is larger than ${MAX_SIGNATURES} bytes`);
  const text = utf8(bytes);
  const parsed = text === undefined ? undefined : parseUniqueJson(text);
  if (parsed === undefined || !parsed.ok) return malformed(parsed === undefined ? 'not UTF-8' : parsed.error);
  const file = fileSchema.safeParse(parsed.value);
  if (!file.success) return malformed(firstIssue(file.error));
  const [token, second] = file.data.signatures;
  if (token === undefined || second !== undefined)
    return malformed(`signatures: exactly one token is needed, ${file.data.signatures.length} are there`);
  return ok(token);
}

/** Reads what a verified token says about files; at most `maxFiles`. */
export function readPayload(payload: unknown, maxFiles: number): Result<SignaturePayload, BundleFault> {
  const parsed = payloadSchema.safeParse(payload);
  if (!parsed.success) return malformed(`the token's payload: ${firstIssue(parsed.error)}`);
  const { files: list, scope = '' } = parsed.data;
  if (list.length > maxFiles) return refuse('too_large', `${SIGNATURES} lists more than ${maxFiles} files`);
  const files = new Map<string, SignedFile>();
  for (const { name: raw, hash, algorithm } of list) {
    const name = memberName(raw);
    if (name === undefined) return malformed(`the token lists ${show(raw)}, which no file of a bundle can be called`);
    if (name === SIGNATURES) return malformed('the token lists its own file, which it cannot cover');
    if (files.has(name)) return malformed(`the token lists ${show(name)} twice`);
    if (!isHash(algorithm)) return weakHash(name, algorithm);
    files.set(name, { hash: hash.toLowerCase(), algorithm });
  }
  return ok({ files, scope });
}

function isHash(name: string): name is HashAlgorithm {
  return Object.hasOwn(HASHES, name);
}

function weakHash(name: string, algorithm: string): Result<never, BundleFault> {
  const known = Object.keys(HASHES).join(', ');
  return refuse(
    'signature_hash_algorithm_refused',
    `${SIGNATURES} hashes ${show(name)} with ${show(algorithm)}, for which two contents with one hash may be found or which is not known; sign it again with one of ${known}`,
  );
}

function malformed(what: string): Result<never, BundleFault> {
  return refuse(
    'signature_malformed',
    `${SIGNATURES}: ${what}; sign the bundle again, with \`sallyport policy sign\` or \`opa sign\``,
  );
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  return `${issue?.path.join('.') || 'the document'}: ${issue?.message ?? 'not valid'}`;
}
