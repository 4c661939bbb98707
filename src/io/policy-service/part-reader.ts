import { mergeData } from '../../core/bundle/data.ts';
import { parseExactJson } from '../../core/bundle/exact-json.ts';
import { fileKind } from '../../core/composition/file-name.ts';
import { isObject, type JsonObject } from '../../core/composition/policy-part.ts';
import { err, ok, type Result } from '../../core/kernel/result.ts';

import type { PolicyFiles } from './settings.ts';

/** Rego by path, and data. */
export type ReadPart = { readonly rego: PolicyFiles; readonly data: JsonObject };

/** A ConfigMap holds at most 1 MiB (Kubernetes); files and bytes of one owner. */
const MAX_FILES = 256;
const MAX_BYTES = 1_048_576;

/** Reads an owner's files; paths of Rego get `prefix` and a slash before them, so that each message says whose they are. All problems are told. */
export function readPart(files: PolicyFiles, prefix: string): Result<ReadPart, readonly string[]> {
  const encoder = new TextEncoder();
  const problems: string[] = [];
  const rego = new Map<string, string>();
  const data = new Map<string, Uint8Array>();
  const bytes = [...files.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (files.size > MAX_FILES) return err([`${prefix}: ${files.size} files; at most ${MAX_FILES} are read`]);
  if (bytes > MAX_BYTES) return err([`${prefix}: ${bytes} bytes; at most ${MAX_BYTES} are read`]);
  for (const [name, text] of files) {
    const kind = fileKind(name);
    const at = `${prefix}/${shown(name)}`;
    if (kind.kind === 'refused') problems.push(`${at}: ${kind.why}`);
    else if (kind.kind === 'rego') rego.set(`${prefix}/${name}`, text);
    else if (kind.kind === 'data' && data.has(kind.path))
      problems.push(`${at}: another file has the same place in data; leave one`);
    else if (kind.kind === 'data') data.set(kind.path, encoder.encode(text));
  }
  const merged = mergeData(data, ['']);
  if (!merged.ok) problems.push(`${prefix}/${merged.error.detail}`);
  if (problems.length > 0) return err(problems);
  const document = merged.ok ? parseExactJson(merged.value)?.value : undefined;
  return ok({ rego, data: isObject(document) ? document : {} });
}

/** Keys are Kubernetes' in form, but nobody has to be. */
function shown(name: string): string {
  return /^[-\w.]{1,253}$/.test(name) ? name : JSON.stringify(name.slice(0, 100));
}
