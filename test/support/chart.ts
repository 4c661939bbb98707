import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { parse, parseAllDocuments } from 'yaml';

import { findBinary } from '../kube/binaries.ts';

import type { KubeObject } from './kube-schemas.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const LIMIT = { timeout: 30_000, maxBuffer: 16 << 20 } as const;

/** The chart's folder. */
export const CHART = join(ROOT, 'helm', 'sallyport');
const VALUES = join(ROOT, 'test', 'unit', 'chart', 'values');

/** Value sets that people have: name and file. */
export const VALUE_SETS = readdirSync(VALUES)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => ({ name: name.replace('.yaml', ''), file: join(VALUES, name) }));

const HELM = process.env['HELM'] ?? findBinary('helm');

/** Why the chart cannot be rendered here, and what to do; undefined where it can. */
export const NO_HELM =
  HELM === undefined
    ? 'there is no helm: set HELM, put it on the PATH, or fetch it: npx node test/kube/binaries.ts prepare apiserver'
    : undefined;

/** Runs helm; rejects with what it said. */
export async function helm(args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(HELM ?? 'helm', args, LIMIT);
  return stdout;
}

/** Whether helm refuses, and what it says. */
export function helmFault(args: readonly string[]): string | undefined {
  const { status, stderr, stdout } = spawnSync(HELM ?? 'helm', args, { ...LIMIT, encoding: 'utf8' });
  return status === 0 ? undefined : `${stdout}${stderr}`;
}

const rendered = new Map<string, Promise<readonly KubeObject[]>>();

/** Every object that the chart makes, hooks included; rendered once for each question. `settings`: as `--set-json` has them. */
export function render(
  file: string | undefined,
  settings: Readonly<Record<string, unknown>> = {},
  namespace = 'sallyport-system',
): Promise<readonly KubeObject[]> {
  const args = ['template', 'sallyport', CHART, '--namespace', namespace, ...valueArgs(file, settings)];
  const key = args.join('\0');
  const found = rendered.get(key) ?? helm(args).then(objectsIn);
  rendered.set(key, found);
  return found;
}

/** The objects of a YAML stream. */
export function objectsIn(text: string): readonly KubeObject[] {
  return parseAllDocuments(text)
    .map((document): unknown => document.toJS())
    .filter((value): value is KubeObject => value !== null);
}

/** What helm is told of values. */
export function valueArgs(file?: string, settings: Readonly<Record<string, unknown>> = {}): readonly string[] {
  const set = Object.entries(settings).flatMap(([path, value]) => ['--set-json', `${path}=${JSON.stringify(value)}`]);
  return [...(file === undefined ? [] : ['--values', file]), ...set];
}

/** The one object of a kind and name. */
export function only(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  const [object] = found;
  if (found.length !== 1 || object === undefined) throw new Error(`${found.length} objects ${kind} ${name}`);
  return object;
}

/** What stands at a path; undefined where nothing does. */
export function field(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (found, key) => (typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[key] : undefined),
    value,
  );
}

/** A file in a ConfigMap. */
export function fileIn(objects: readonly KubeObject[], configMap: string, file: string): string {
  const text = field(only(objects, 'ConfigMap', configMap), 'data', file);
  if (typeof text !== 'string') throw new Error(`no ${file} in ConfigMap ${configMap}`);
  return text;
}

/** A YAML file of the chart. */
export function chartFile(name: string): { readonly text: string; readonly value: unknown } {
  const text = readFileSync(join(CHART, name), 'utf8');
  return { text, value: parse(text) };
}
