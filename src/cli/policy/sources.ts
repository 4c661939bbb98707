import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { SIGNATURES } from '../../core/bundle/bundle-files.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../../core/bundle/limits.ts';
import { unpackUnverified } from '../../core/bundle/verified-files.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { readPolicyFolder } from '../../io/sources/policy-folder.ts';
import { readBounded } from '../../io/sources/read-file.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { Problems } from '../../io/sources/problem.ts';

/** Rego and data that a command was pointed at. */
export type PolicySources = {
  /** In OPA's bundle layout: path from the root, with `/`, to content. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** How the user would name a file: its path from the working directory, or `bundle.tar.gz/path`. */
  readonly shown: (path: string) => string;
  /** Paths on disk of files that may be rewritten; a member of a bundle has none. */
  readonly onDisk: ReadonlyMap<string, string>;
  /** `.signatures.json` of what was named, unverified. They are left out of `files`: what a tool makes of these is signed anew. */
  readonly signatures: readonly Uint8Array[];
};

type Root = {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly place: (path: string) => string;
  writable: boolean;
};

/**
 * Reads what the arguments of a command name: folders, `.tar.gz` bundles and single files, which become one folder together. A Rego file may have the
 * same path in two of them; data and manifest may not, since they would have to be merged.
 */
export async function readPolicySources(paths: readonly string[]): Promise<Result<PolicySources, Problems>> {
  const files: Record<string, Uint8Array> = {};
  const shown = new Map<string, string>();
  const onDisk = new Map<string, string>();
  const signatures: Uint8Array[] = [];
  for (const path of paths) {
    const root = await readRoot(path);
    if (!root.ok) return root;
    for (const [name, bytes] of root.value.files) {
      if (name === SIGNATURES) {
        signatures.push(bytes);
        continue;
      }
      const key = freeName(name, files);
      if (key === undefined)
        return err([`${root.value.place(name)}: ${shown.get(name)} holds the same document; name one of them`]);
      files[key] = bytes;
      shown.set(key, root.value.place(name));
      if (root.value.writable) onDisk.set(key, root.value.place(name));
    }
  }
  return ok({ files, shown: (path) => shown.get(path) ?? path, onDisk, signatures });
}

/** A path that is not taken; undefined for a document that is there already, other than Rego. */
function freeName(name: string, taken: Readonly<Record<string, Uint8Array>>): string | undefined {
  if (!Object.hasOwn(taken, name)) return name;
  if (!name.endsWith('.rego')) return undefined;
  for (let count = 2; ; count += 1) {
    const other = `${count}/${name}`;
    if (!Object.hasOwn(taken, other)) return other;
  }
}

async function readRoot(path: string): Promise<Result<Root, Problems>> {
  if (await isFolder(path)) {
    const files = await readPolicyFolder(path);
    return files.ok ? ok({ files: files.value, place: (name) => join(path, name), writable: true }) : files;
  }
  const bytes = await readBounded(path, DEFAULT_BUNDLE_LIMITS.archiveBytes);
  if (!bytes.ok) return err([bytes.error]);
  if (!/\.(?:tar\.gz|tgz)$/.test(path)) {
    const files = new Map([[basename(path), bytes.value.bytes]]);
    return ok({ files, place: () => path, writable: true });
  }
  const unpacked = unpackUnverified(bytes.value.bytes);
  if (!unpacked.ok) return err([`${path}: ${unpacked.error.code}: ${unpacked.error.detail}`]);
  return ok({ files: unpacked.value, place: (name) => `${path}/${name}`, writable: false });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
