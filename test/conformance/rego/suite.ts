import { execFile } from 'node:child_process';
import { readFile, readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { parse } from 'yaml';

import { readArtefactFacts } from '../../../src/io/rego/artefact.ts';
import type { Case, CaseInput, Wanted } from './case.ts';

const run = promisify(execFile);
const CASES = 'v1/test/cases/testdata/v1';

/** Where the suite is, or why it is nowhere. */
export type Suite =
  | { readonly kind: 'found'; readonly folder: string; readonly opa: string }
  | { readonly kind: 'missing'; readonly reason: string };

/** The suite of the OPA version that our compiler is made of: in `folder` if given, else in Go's module cache, fetched there if Go is at hand. */
export async function findSuite(folder: string | undefined): Promise<Suite> {
  const { opa } = await readArtefactFacts();
  if (folder !== undefined) {
    if (await isFolder(folder)) return { kind: 'found', folder, opa };
    return { kind: 'missing', reason: `${folder} is no folder; --suite names OPA's ${CASES}` };
  }
  const module = `github.com/open-policy-agent/opa@v${opa}`;
  const cache = await moduleCache();
  const cached = join(cache, module, CASES);
  if (await isFolder(cached)) return { kind: 'found', folder: cached, opa };
  const fetched = await download(module);
  if (fetched !== undefined) return { kind: 'found', folder: join(fetched, CASES), opa };
  const reason = `OPA's suite is not here: Go's module cache has no ${module}, and Go is not here to fetch it; name the folder with --suite`;
  return { kind: 'missing', reason };
}

async function moduleCache(): Promise<string> {
  const told = await run('go', ['env', 'GOMODCACHE']).catch(() => undefined);
  return told?.stdout.trim() ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'pkg/mod');
}

async function download(module: string): Promise<string | undefined> {
  const told = await run('go', ['mod', 'download', '-json', module]).catch(() => undefined);
  if (told === undefined) return undefined;
  const { Dir } = JSON.parse(told.stdout) as { readonly Dir?: string };
  return Dir;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** All cases of the suite, by group and file. */
export async function readSuite(folder: string): Promise<readonly Case[]> {
  const cases: Case[] = [];
  for (const group of (await readdir(folder)).sort()) {
    for (const file of (await readdir(join(folder, group))).sort()) {
      cases.push(...readCases(await readFile(join(folder, group, file), 'utf8'), group, file));
    }
  }
  return cases;
}

type RawCase = {
  readonly note: string;
  readonly query: string;
  readonly modules?: readonly string[];
  readonly data?: Readonly<Record<string, unknown>>;
  readonly input?: unknown;
  readonly input_term?: string;
  readonly want_defined?: boolean;
  readonly want_result?: readonly Readonly<Record<string, unknown>>[];
  readonly want_error_code?: string;
  readonly want_error?: string;
  readonly sort_bindings?: boolean;
  readonly strict_error?: boolean;
};

/** The cases of one file. */
export function readCases(text: string, group: string, file: string): readonly Case[] {
  const { cases } = parse(text, { intAsBigInt: true, maxAliasCount: -1 }) as { readonly cases: readonly RawCase[] };
  return cases.map((raw, index) => ({
    group,
    place: `${group}/${file}#${index + 1}`,
    note: raw.note,
    query: raw.query,
    modules: raw.modules ?? [],
    data: jsonValue(raw.data ?? {}) as Readonly<Record<string, unknown>>,
    input: inputOf(raw),
    wanted: wantedOf(raw),
  }));
}

function inputOf(raw: RawCase): CaseInput {
  if (raw.input_term !== undefined) return { kind: 'term', text: raw.input_term };
  if (!('input' in raw)) return { kind: 'none' };
  const input = jsonValue(raw.input);
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) {
    return { kind: 'object', value: input as Readonly<Record<string, unknown>> };
  }
  return { kind: 'term', text: JSON.stringify(input) };
}

/** Where a case wants several things, in the order of OPA's own runner for WebAssembly. */
function wantedOf(raw: RawCase): Wanted {
  if (raw.want_defined !== undefined) return { kind: 'defined', defined: raw.want_defined };
  if (raw.want_result !== undefined) {
    const rows = jsonValue(raw.want_result) as readonly Readonly<Record<string, unknown>>[];
    return { kind: 'rows', rows, sorted: raw.sort_bindings === true };
  }
  if (raw.strict_error === true) return { kind: 'strict-error' };
  return { kind: 'error', code: raw.want_error_code ?? 'none' };
}

/** TypeScript's declarations do not have `JSON.rawJSON` yet. */
type RawJson = { rawJSON(text: string): unknown };

/** Whole numbers of YAML as JSON numbers, exact where 64 bits hold them and as doubles beyond, which is how OPA's own reader has them. */
function jsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return jsonInteger(value);
  if (Array.isArray(value)) return value.map(jsonValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, jsonValue(part)]));
}

function jsonInteger(value: bigint): unknown {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  const fits = value >= -(2n ** 63n) && value < 2n ** 64n;
  return fits ? (JSON as unknown as RawJson).rawJSON(String(value)) : number;
}
