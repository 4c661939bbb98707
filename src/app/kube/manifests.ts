import { parseBoundedYamlStream } from '../../core/kernel/bounded-yaml.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';

/** One document of a file of manifests, and the line at which it begins. */
export type Manifest = { readonly line: number; readonly value: unknown };

/** More than the API server takes in one object, many times over: what `helm template` prints for a whole platform. */
export const MAX_MANIFESTS = 16 * 1_048_576;

/** Aliases that one document may use; each can stand for as much as the document before it. */
const MAX_ALIASES = 100;

/**
 * Reads manifests: YAML with any number of documents, or JSON. Faults come as `LINE:COLUMN: what`. Empty documents are left out. Never throws.
 */
export function readManifests(text: string): Result<readonly Manifest[], readonly string[]> {
  if (text.length > MAX_MANIFESTS) return err([`1:1: more than ${MAX_MANIFESTS} characters`]);
  const stream = parseBoundedYamlStream(text);
  if (!stream.ok) return err(stream.error.map(({ line, column, message }) => `${line}:${column}: ${message}`));
  const { documents, locate } = stream.value;
  const manifests: Manifest[] = [];
  const faults: string[] = [];
  for (const document of documents) {
    const { line, column } = locate(document.contents?.range[0] ?? document.range[0]);
    try {
      const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
      if (value !== null && value !== undefined) manifests.push({ line, value: plain(value) });
    } catch (error) {
      faults.push(`${line}:${column}: ${error instanceof Error ? error.message : 'cannot be read'}`);
    }
  }
  return faults.length > 0 ? err(faults) : ok(manifests);
}

/** As the API server would get it: JSON. Throws for what stands within itself. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}
