import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';

import { parseExactJson } from '../../core/bundle/exact-json.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { reasonOf } from '../../io/sources/problem.ts';

import type { Result } from '../../core/kernel/result.ts';

/** Reads an input document, JSON: a file, or `-` for stdin. Without a file there is no input. Numbers keep all their digits. */
export async function readInput(file: string | undefined): Promise<Result<unknown, string>> {
  if (file === undefined) return ok(undefined);
  let json: string;
  try {
    json = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    return err(`${file}: ${reasonOf(error)}`);
  }
  const parsed = parseExactJson(json);
  if (parsed === undefined) return err(`${file}: is no JSON, or nested deeper than 256 levels`);
  const { value } = parsed;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return err(`${file}: an input is a JSON object, as sidecars give it`);
  return ok(value);
}
