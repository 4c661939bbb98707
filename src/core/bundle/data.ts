import { ok } from '../kernel/result.ts';
import { DATA_FILE } from './bundle-files.ts';
import { parseDataYaml } from './data-yaml.ts';
import { parseExactJson } from './exact-json.ts';
import { refuse, show } from './fault.ts';
import { jsonFault } from './json-fault.ts';
import { isOwnedPlace } from './manifest.ts';
import { utf8 } from './member-name.ts';
import { isPlainObject } from './plain-object.ts';
import { wellFormed } from './well-formed.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { Files } from './tar-reader.ts';

/** A map of data while it grows; a `Map`, so that no key (`__proto__`) means anything but itself. */
type Branch = Map<string, Branch | Leaf>;
type Leaf = { readonly leaf: unknown };

/**
 * Merges all `data.json`, `data.yaml` and `data.yml` into the JSON text of one document: `a/b/data.json` becomes `data.a.b`. Two files that say
 * something about the same value are refused, as is data outside the manifest's roots (OPA: "manifest roots do not permit data at path").
 */
export function mergeData(files: Files, roots: readonly string[]): Result<string, BundleFault> {
  const root: Branch = new Map();
  for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const match = DATA_FILE.exec(path);
    if (match === null) continue;
    const value = readData(match[2] === 'json', bytes);
    if (!value.ok) return refuse('data_invalid', `${path}: ${value.error}`);
    const at = match[1]?.split('/') ?? [];
    const clash = insert(root, at, value.value);
    if (clash !== undefined) return refuse('data_invalid', `${path}: ${clash}`);
  }
  const outside = firstOutside(root, roots, []);
  if (outside !== undefined)
    return refuse(
      'data_invalid',
      `the manifest's roots (${roots.map(show).join(', ')}) do not permit data at ${outside}; move it, or add its root to .manifest`,
    );
  return ok(JSON.stringify(plain(root)));
}

function readData(isJson: boolean, bytes: Uint8Array): Result<unknown, string> {
  const text = utf8(bytes);
  if (text === undefined) return { ok: false, error: 'not UTF-8; save it as UTF-8' };
  const parsed = isJson ? parseJson(text) : parseDataYaml(text);
  return parsed.ok && LONE_SURROGATE.test(text) ? wellFormed(parsed.value) : parsed;
}

/** An escape that may be half of a character; YAML has one of eight digits too. */
const LONE_SURROGATE = /\\(?:u[dD][89a-fA-F]|U)/;

function parseJson(text: string): Result<unknown, string> {
  const parsed = parseExactJson(text);
  return parsed === undefined ? { ok: false, error: jsonFault(text) } : ok(parsed.value);
}

/** Puts `value` at `path`; a text says what stood in the way. */
function insert(root: Branch, path: readonly string[], value: unknown): string | undefined {
  let branch = root;
  for (const [index, key] of path.entries()) {
    const next = branch.get(key) ?? new Map<string, Branch | Leaf>();
    if (!(next instanceof Map))
      return `data.${path.slice(0, index + 1).join('.')} is no object in another file; keep it in one file`;
    branch.set(key, next);
    branch = next;
  }
  if (!isPlainObject(value)) return replaceLeaf(root, path, value);
  return merge(branch, value, path);
}

function replaceLeaf(root: Branch, path: readonly string[], value: unknown): string | undefined {
  const key = path.at(-1);
  if (key === undefined)
    return 'the top of the data is no object; put the value under a key, or the file into a folder';
  let parent: Branch = root;
  for (const step of path.slice(0, -1)) parent = parent.get(step) as Branch;
  const existing = parent.get(key);
  if (existing instanceof Map && existing.size > 0)
    return `data.${path.join('.')} is an object in another file; keep it in one file`;
  parent.set(key, { leaf: value });
  return undefined;
}

function merge(branch: Branch, value: object, path: readonly string[]): string | undefined {
  for (const [key, inner] of Object.entries(value)) {
    const existing = branch.get(key);
    const here = [...path, key];
    if (existing !== undefined && !(existing instanceof Map && isPlainObject(inner)))
      return `data.${here.join('.')} is set twice; keep it in one file`;
    if (!isPlainObject(inner)) branch.set(key, { leaf: inner });
    else {
      const next = existing ?? new Map<string, Branch | Leaf>();
      branch.set(key, next);
      const clash = merge(next, inner, here);
      if (clash !== undefined) return clash;
    }
  }
  return undefined;
}

/** The path of the first value that no root owns; empty objects own nothing and are fine. */
function firstOutside(branch: Branch, roots: readonly string[], path: readonly string[]): string | undefined {
  for (const [key, value] of branch) {
    const here = [...path, key];
    if (isOwnedPlace(roots, here)) continue;
    if (!(value instanceof Map)) return here.join('/');
    const outside = firstOutside(value, roots, here);
    if (outside !== undefined) return outside;
  }
  return undefined;
}

function plain(branch: Branch): unknown {
  return Object.fromEntries(
    Array.from(branch, ([key, value]) => [key, value instanceof Map ? plain(value) : value.leaf]),
  );
}
