import { readFile } from 'node:fs/promises';

import { HOST_BUILTINS } from '../../../src/core/policy/builtins/table.ts';
import { loadPolicy } from '../../../src/core/policy/host.ts';
import { describeLoadProblem } from '../../../src/core/policy/load-problem.ts';
import type { RegoCompiler } from '../../../src/io/rego/compiler.ts';
import { REFUSED_BUILTINS } from '../../../src/core/policy/refused-builtins.ts';
import { STILL_WORLD } from '../../support/policy-host.ts';

/** Where a built-in of OPA's capabilities lives: in every module, in our host, nowhere on purpose, or in what the compiler makes of its call. */
export type Home = 'module' | 'host' | 'refused' | 'compiler';

/** Names of OPA's built-ins and the number of their arguments, from `capabilities.json` of its module. */
export type BuiltinNames = { readonly opa: string; readonly arity: Readonly<Record<string, number>> };

/** Calls that a policy does not write as calls, or that the compiler replaces: operators of the language, `print`, metadata. */
const REPLACED = /^(?:assign|eq|print|internal\..*|rego\.metadata\..*)$/;

export async function readBuiltinNames(): Promise<BuiltinNames> {
  return JSON.parse(await readFile(new URL('opa-built-ins.json', import.meta.url), 'utf8')) as BuiltinNames;
}

/** The home of every built-in: a policy that calls all of them is compiled and loaded. Throws what is missing where it does not load. */
export async function homesOfBuiltins(
  { arity }: BuiltinNames,
  compiler: RegoCompiler,
): Promise<ReadonlyMap<string, Home>> {
  const called = Object.keys(arity).filter((name) => !REPLACED.test(name) && !Object.hasOwn(REFUSED_BUILTINS, name));
  const calls = called.map((name, index) => `\tx${index} := ${name}(${argumentsOf(name, arity[name] ?? 0)})\n`);
  // Version 0 of the language still has the deprecated ones.
  const files = { 'p.rego': `package p\n\nr {\n${calls.join('')}}\n` };
  const built = await compiler.build({ files, entrypoints: ['p/r'], regoVersion: 0 });
  if (!built.ok) throw new Error(JSON.stringify(built.error));
  const source = { wasm: built.value.policyWasm, data: {}, entrypoint: 'p/r', bundles: {} };
  const policy = loadPolicy(source, STILL_WORLD);
  if (!policy.ok) throw new Error(describeLoadProblem(policy.error));
  const host = new Set(policy.value.builtins);
  return new Map(Object.keys(arity).map((name) => [name, homeOf(name, host)]));
}

function homeOf(name: string, host: ReadonlySet<string>): Home {
  if (Object.hasOwn(REFUSED_BUILTINS, name)) return 'refused';
  // The host also has some of what the compiler writes into a module by itself.
  if (host.has(name) || HOST_BUILTINS.has(name)) return 'host';
  return REPLACED.test(name) ? 'compiler' : 'module';
}

function argumentsOf(name: string, count: number): string {
  if (name === 'walk') return 'input.a';
  return Array.from({ length: count }, (_, index) => `input.a[${index}]`).join(', ');
}

const TITLES: Readonly<Record<Home, string>> = {
  module: 'compiled into every module by OPA',
  host: 'supplied by this host',
  compiler: 'replaced by the compiler',
  refused: 'refused on purpose',
};

/** The homes as Markdown. */
export function homesText(homes: ReadonlyMap<string, Home>): string {
  const lines = (['module', 'host', 'compiler', 'refused'] as const).map((home) => {
    const names = [...homes].filter(([, where]) => where === home).map(([name]) => `\`${name}\``);
    return `- ${TITLES[home]} (${names.length}): ${names.sort().join(', ')}`;
  });
  const reasons = Object.entries(REFUSED_BUILTINS).map(([name, reason]) => `  - \`${name}\`: ${reason}.`);
  return [...lines, ...reasons].join('\n');
}
