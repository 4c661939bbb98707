import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod';

import { err, ok } from '../../core/kernel/result.ts';
import { fitFolder, guarded, parseJson, writeWhole } from './kept-folder.ts';
import { readBounded } from './read-file.ts';

import type { Result } from '../../core/kernel/result.ts';

/** What was last in force of one address. */
export type TrustCopy = { readonly bytes: Uint8Array; readonly sequence: bigint | undefined };

/** Keeps it for a restart without the server. */
export interface TrustPollStore {
  /** Undefined where nothing was kept for what is configured now. */
  load(): Promise<Result<TrustCopy | undefined, string>>;
  /** Replaces what was kept, whole or not at all. */
  save(copy: TrustCopy): Promise<Result<undefined, string>>;
}

/** A head, a line end, and what was in force as it is. */
const MAX_HEAD = 4_096;
const MAX_BYTES = 16_777_216;
const LINE_END = 0x0a;

const head = z.strictObject({
  version: z.literal(1),
  about: z.string().length(64),
  digest: z.string().length(64),
  sequence: z
    .string()
    .regex(/^\d{1,20}$/)
    .optional(),
});

/**
 * Creates the store of what one address gives, in a folder that many addresses may share: a file each, named by `about`. `about` is all of the configuration that
 * the copy depends on (address, trust domain, the bundle that the operator gave): with another one, nothing was kept. No effects yet.
 */
export function createTrustPollStore(folder: string, about: readonly (string | Uint8Array)[]): TrustPollStore {
  const owner = digestOf(...about.map((part) => digestOf(part)));
  const name = `${owner.slice(0, 32)}.trust`;
  return {
    load: () => guarded(folder, () => load(folder, name, owner)),
    save: (copy) => guarded(folder, () => save(folder, name, owner, copy)),
  };
}

async function load(folder: string, name: string, owner: string): ReturnType<TrustPollStore['load']> {
  const fit = await fitFolder(folder);
  if (!fit.ok) return fit;
  if (!(await readdir(folder)).includes(name)) return ok(undefined);
  const path = join(folder, name);
  const file = await readBounded(path, MAX_HEAD + MAX_BYTES);
  if (!file.ok) return file;
  const end = file.value.bytes.subarray(0, MAX_HEAD).indexOf(LINE_END);
  const parsed = head.safeParse(parseJson(file.value.bytes.subarray(0, Math.max(0, end))));
  const bytes = file.value.bytes.slice(end + 1);
  if (
    !parsed.success ||
    parsed.data.about !== owner ||
    parsed.data.digest !== digestOf(`${parsed.data.sequence ?? ''}\n`, bytes)
  )
    return err(`${path}: was changed or damaged; it is not used, and replaced by what is fetched next`);
  const { sequence } = parsed.data;
  return ok({ bytes, sequence: sequence === undefined ? undefined : BigInt(sequence) });
}

async function save(
  folder: string,
  name: string,
  owner: string,
  { bytes, sequence }: TrustCopy,
): Promise<Result<undefined, string>> {
  if (bytes.length > MAX_BYTES) return err(`${folder}: more than ${MAX_BYTES} bytes are not kept`);
  const fit = await fitFolder(folder);
  if (!fit.ok) return fit;
  const content = {
    version: 1,
    about: owner,
    digest: digestOf(`${sequence ?? ''}\n`, bytes),
    sequence: sequence?.toString(),
  } satisfies z.infer<typeof head>;
  const first = new TextEncoder().encode(`${JSON.stringify(content)}\n`);
  await writeWhole(folder, name, Buffer.concat([first, bytes]));
  return ok(undefined);
}

function digestOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
