import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';

/** Tables, chains, sets and rules, each as one text that two listings can be compared by, in their order. */
export type NftObjects = readonly string[];

/** What the kernel numbers anew at each load, and what is about nft itself. */
const IGNORED: ReadonlySet<string> = new Set(['handle', 'index']);

/**
 * Reads what `nft -j` prints (libnftables-json(5)): a listing, or with `-e` what the kernel took. In a form in which both say the same of the same
 * rules: handles left out, elements of sets in one order, a table that is named twice (made, deleted, made again) once.
 */
export function readNftObjects(text: string): Result<NftObjects, string> {
  const objects = new Set<string>();
  const rules: string[] = [];
  const listed = parse(text);
  if (!Array.isArray(listed)) return err('nft printed no JSON of the form {"nftables": [...]}');
  for (const entry of listed) {
    const object = isMap(entry) && isMap(entry['add']) ? entry['add'] : entry;
    if (!isMap(object) || object['metainfo'] !== undefined) continue;
    const form = JSON.stringify(normal(object));
    if (object['rule'] === undefined) objects.add(form);
    else rules.push(form);
  }
  return ok([...[...objects].sort(), ...rules]);
}

/** The first thing in which two sets of rules differ, for people; undefined where there is none. Rules are compared in order: the first that matches decides. */
export function difference(asked: NftObjects, standing: NftObjects): string | undefined {
  const length = Math.max(asked.length, standing.length);
  for (let at = 0; at < length; at++) {
    const [wanted, found] = [asked[at], standing[at]];
    if (wanted !== found) return `asked for ${wanted ?? 'nothing more'}, and there stands ${found ?? 'nothing'}`;
  }
  return undefined;
}

function parse(text: string): unknown {
  try {
    const document: unknown = JSON.parse(text);
    return isMap(document) ? document['nftables'] : undefined;
  } catch {
    return undefined;
  }
}

function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal);
  if (!isMap(value)) return value;
  const entries = Object.entries(value).filter(([key]) => !IGNORED.has(key));
  return Object.fromEntries(
    entries.map(([key, part]) => [key, key === 'set' || key === 'elem' ? sorted(part) : normal(part)]),
  );
}

function sorted(elements: unknown): unknown {
  if (!Array.isArray(elements)) return normal(elements);
  return elements.map((element) => JSON.stringify(normal(element))).sort();
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
