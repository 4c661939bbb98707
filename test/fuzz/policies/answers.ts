import type { Evaluation } from '../../../src/core/model/policy.ts';

/** What an evaluator answered, as a line that is equal where the answers are. */
export type Line = string;

export const UNDEFINED: Line = 'undefined';
export const CONFLICT: Line = 'conflict';

/** A value: objects with their keys in order, numbers as doubles, which is what a host gives to the program. */
export function valueLine(value: unknown): Line {
  return JSON.stringify(inOrder(value));
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, part]) => [`.${key}`, inOrder(part)] as const)
      .sort(byKey),
  );
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** The same with the elements of arrays in no order: an evaluator that writes sets as arrays in the order of their hashes can be compared. */
export function bagLine(line: Line): Line {
  return line === UNDEFINED || line === CONFLICT || line.startsWith('!')
    ? line
    : JSON.stringify(bags(JSON.parse(line)));
}

function bags(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => JSON.stringify(bags(item))).sort();
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [keyBag(key), bags(part)]));
}

/** A key that was no string in Rego is JSON text itself. */
function keyBag(key: string): string {
  try {
    return /^\.[[{]/.test(key) ? bagLine(valueLine(JSON.parse(key.slice(1)))) : key;
  } catch {
    return key;
  }
}

export function evaluationLine(evaluation: Evaluation): Line {
  if (evaluation.kind === 'defined') return valueLine(evaluation.value);
  if (evaluation.kind === 'undefined') return UNDEFINED;
  return evaluation.fault.code === 'policy_conflict'
    ? CONFLICT
    : `!${evaluation.fault.code}: ${evaluation.fault.detail}`;
}

/** True where an evaluation ended because of its bounds, which OPA's interpreter does not have. */
export function isBounded(line: Line): boolean {
  return line.startsWith('!policy_budget_exceeded') || line.startsWith('!policy_memory_exceeded');
}
