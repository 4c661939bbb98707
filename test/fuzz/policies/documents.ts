import type { Choices } from './choices.ts';

/** A JSON document as text: numbers keep their digits. */
type Text = string;

export const KEYS = ['a', 'b', 'c', 'é', '0', 'a.b', ''] as const;
const STRINGS = ['a', '', 'b', 'ab', 'a.b.c', 'é😀', 'A b', '10', '1.5', '10.0.0.1', 'x/y?z=1&b=2', '"\\', '1h'];
/** Whole numbers of 53 bits, and decimals that are doubles: beyond these OPA's own targets part (`known-differences.ts`). */
const NUMBERS = ['0', '1', '2', '-1', '3', '10', '1.5', '-0.25', '100', '9007199254740991', '1e3', '0.5'];

/** One of the strings that built-ins treat in some special way. */
export function anyString(choices: Choices): string {
  return choices.of('a', ...STRINGS);
}

export function anyNumber(choices: Choices): Text {
  return choices.of('0', ...NUMBERS);
}

/** Any JSON value, nested at most `depth` deep. */
export function anyJson(choices: Choices, depth: number): Text {
  const kind = choices.upTo(depth > 0 ? 9 : 6);
  if (kind <= 1) return JSON.stringify(anyString(choices));
  if (kind <= 3) return anyNumber(choices);
  if (kind === 4) return choices.of('true', 'false');
  if (kind === 5) return 'null';
  if (kind === 6) return `[${choices.some(0, 3, () => anyJson(choices, depth - 1)).join(',')}]`;
  return anyObject(choices, depth);
}

/** A JSON object with some of the keys that policies ask for. */
export function anyObject(choices: Choices, depth: number): Text {
  return objectOf(new Set(choices.some(0, 4, () => choices.of(...KEYS))), choices, depth);
}

/** An object that has most of the keys that policies ask for. */
export function fullObject(choices: Choices, depth: number): Text {
  return objectOf(new Set(['a', 'b', 'c', ...choices.some(0, 3, () => choices.of(...KEYS))]), choices, depth);
}

function objectOf(keys: ReadonlySet<string>, choices: Choices, depth: number): Text {
  return `{${[...keys].map((key) => `${JSON.stringify(key)}:${anyJson(choices, depth - 1)}`).join(',')}}`;
}
