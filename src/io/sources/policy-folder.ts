import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { DEFAULT_BUNDLE_LIMITS } from '../../core/bundle/limits.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { reasonOf } from './problem.ts';
import { readBounded } from './read-file.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { Problems } from './problem.ts';

/** Files of a policy by path below the folder (with `/`), and every folder on the way. */
export type PolicyFolder = { readonly files: readonly string[]; readonly folders: readonly string[] };

/** Deeper folders are refused; links that lead in circles end there. */
const MAX_DEPTH = 16;

/** What belongs to a policy (OPA documentation, "Bundle File Format"); anything else in the folder is passed over. */
const MEMBER = /^(?:\.manifest|\.signatures\.json|patch\.json|plan\.json|data\.json|data\.ya?ml|.*\.rego|.*\.wasm)$/;

/**
 * Lists the files of a policy folder, sorted. Links are followed, and hidden folders passed over: that is how Kubernetes mounts a ConfigMap
 * (`policy.rego` -> `..data/policy.rego`), and where version control keeps its own files.
 */
export async function listPolicyFolder(root: string): Promise<Result<PolicyFolder, Problems>> {
  const files: string[] = [];
  const folders: string[] = [];
  const walk = async (below: string, depth: number): Promise<string | undefined> => {
    if (depth > MAX_DEPTH) return `${join(root, below)}: folders are nested deeper than ${MAX_DEPTH}`;
    folders.push(join(root, below));
    for (const name of (await readdir(join(root, below))).sort()) {
      const path = below === '' ? name : `${below}/${name}`;
      const kind = await kindOf(join(root, path));
      if (kind === 'folder' && !name.startsWith('.')) {
        const problem = await walk(path, depth + 1);
        if (problem !== undefined) return problem;
      } else if (kind === 'file' && MEMBER.test(name)) files.push(path);
      if (files.length > DEFAULT_BUNDLE_LIMITS.members)
        return `${root}: more than ${DEFAULT_BUNDLE_LIMITS.members} files`;
    }
    return undefined;
  };
  try {
    const problem = await walk('', 0);
    return problem === undefined ? ok({ files, folders }) : err([problem]);
  } catch (error) {
    return err([`${root}: ${reasonOf(error)}`]);
  }
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    const found = await stat(path);
    return found.isDirectory() ? 'folder' : found.isFile() ? 'file' : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the files of a folder by their path below it. */
export async function readPolicyFolder(root: string): Promise<Result<ReadonlyMap<string, Uint8Array>, Problems>> {
  const listed = await listPolicyFolder(root);
  if (!listed.ok) return listed;
  const files = new Map<string, Uint8Array>();
  let left = DEFAULT_BUNDLE_LIMITS.totalBytes;
  for (const path of listed.value.files) {
    const file = await readBounded(join(root, path), Math.min(left, DEFAULT_BUNDLE_LIMITS.memberBytes));
    if (!file.ok) return err([file.error]);
    left -= file.value.bytes.length;
    files.set(path, file.value.bytes);
  }
  return ok(files);
}
