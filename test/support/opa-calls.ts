import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { termText } from '../../src/core/policy/term-text.ts';
import type { Term } from '../../src/core/policy/term.ts';
import { opa } from './native-opa.ts';

/** One call of a built-in function. */
export type OpaCall = { readonly name: string; readonly args: readonly Term[] };

const BATCH = 500;

/**
 * What OPA's interpreter answers to each call: the Rego text of an array with the answer, `[]` where it is undefined. `folder` takes the modules.
 * Arguments go through `object.get`, whose type is any, so that OPA's type checker does not refuse a module whose calls must fail.
 */
export async function opaAnswers(folder: string, calls: readonly OpaCall[]): Promise<readonly string[]> {
  const answers: string[] = [];
  for (let at = 0; at < calls.length; at += BATCH) {
    answers.push(...(await batch(folder, calls.slice(at, at + BATCH))));
  }
  return answers;
}

async function batch(folder: string, calls: readonly OpaCall[]): Promise<readonly string[]> {
  const rules = calls.map(({ name, args }, index) => {
    const operands = args.map((arg) => `object.get({}, "", ${ascii(termText(arg))})`).join(', ');
    return `r["${index}"] := sprintf("%v", [[y | y := ${name}(${operands})]])`;
  });
  const file = join(folder, 'calls.rego');
  await writeFile(file, `package t\n\n${rules.join('\n')}\n`);
  const found = JSON.parse(await opa(folder, 'eval', '-f', 'raw', '-d', file, 'data.t.r')) as Record<string, string>;
  return calls.map((_, index) => found[String(index)] ?? 'no answer');
}

/** Rego takes any character in a string but the byte order mark, and files are not for raw control characters. */
function ascii(text: string): string {
  return text.replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
