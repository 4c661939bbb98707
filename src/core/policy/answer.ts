import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import { BuiltinError } from './builtin.ts';
import { goJson } from './builtins/go-json.ts';
import type { GuestMemory } from './guest-memory.ts';
import { sorted } from './term-order.ts';
import { parseTerm } from './term-text.ts';
import { arr, str } from './term.ts';
import type { Term } from './term.ts';

/** What an evaluation left in memory: a value, nothing, or something that is no answer. */
export type Answer =
  | { readonly kind: 'defined'; readonly value: unknown }
  | { readonly kind: 'undefined' }
  | { readonly kind: 'invalid'; readonly fault: Fault };

/** Longest answer, bytes of Rego text. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

const BEFORE = '{{"result": ';
const AFTER = '}}';
const TRUE = ascii(`${BEFORE}true${AFTER}\0`);
const FALSE = ascii(`${BEFORE}false${AFTER}\0`);
const NOTHING = ascii('set()\0');
const HUGE_NUMBER = /[0-9]{300}|[eE]\+?[0-9]{3}/;

const ALLOW: Answer = { kind: 'defined', value: true };
const DENY: Answer = { kind: 'defined', value: false };
const UNDEFINED: Answer = { kind: 'undefined' };

/**
 * Reads the result set at `address`, a set of no or one object in Rego text: `set()`, or `{{"result": value}}` (OPA `internal/wasm/sdk`, which asks for the
 * same format). Only this format tells sets from arrays: the JSON that a module writes has the elements of a set in the order of their hashes, while OPA's
 * has them in Rego's order. The three commonest answers are told apart by their bytes.
 */
export function readAnswer(guest: GuestMemory, address: number): Answer {
  const start = address >>> 0;
  if (startsWith(guest.bytes, start, TRUE)) return ALLOW;
  if (startsWith(guest.bytes, start, FALSE)) return DENY;
  if (startsWith(guest.bytes, start, NOTHING)) return UNDEFINED;
  const text = guest.text(start, MAX_ANSWER_BYTES);
  if (text === undefined) return invalid('the result is too large or not there');
  if (!text.startsWith(BEFORE) || !text.endsWith(AFTER)) return invalid('the result set does not have one result');
  return parseValue(text.slice(BEFORE.length, -AFTER.length));
}

function parseValue(text: string): Answer {
  try {
    return { kind: 'defined', value: parseJson(text) ?? plainValue(jsonTerm(parseTerm(text))) };
  } catch (problem) {
    const reason = problem instanceof RangeError || problem instanceof BuiltinError;
    return invalid(reason ? problem.message : 'the result is no value');
  }
}

/** The value of text that is JSON, which most is; undefined for what has a set in it, or a key that is no string. */
function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text, HUGE_NUMBER.test(text) ? refuseInfinite : undefined);
    return value;
  } catch (problem) {
    if (problem instanceof SyntaxError) return undefined;
    throw problem;
  }
}

/** The value of what `jsonTerm` gives. */
function plainValue(term: Term): unknown {
  switch (term.kind) {
    case 'null':
      return null;
    case 'number':
      return finite(Number(term.text));
    case 'array':
    case 'set':
      return term.items.map(plainValue);
    case 'object':
      return Object.fromEntries(term.entries.map(([key, value]) => [keyText(key), plainValue(value)]));
    case 'boolean':
    case 'string':
      return term.value;
    default:
      return term satisfies never;
  }
}

/** The module's `to_number` makes numbers of `1e` and the like, which are none. */
function finite(value: number): number {
  if (!Number.isFinite(value)) throw new RangeError('a number of the result is out of range');
  return value;
}

/** As OPA writes values as JSON (`ast.JSON`): a set is an array in Rego's order, and a key that is no string is its own JSON text. */
function jsonTerm(term: Term): Term {
  switch (term.kind) {
    case 'array':
      return arr(term.items.map(jsonTerm));
    case 'set':
      return arr(sorted(term.items).map(jsonTerm));
    case 'object':
      return { kind: 'object', entries: term.entries.map(([key, value]) => [str(keyText(key)), jsonTerm(value)]) };
    case 'null':
    case 'boolean':
    case 'number':
    case 'string':
      return term;
    default:
      return term satisfies never;
  }
}

function keyText(key: Term): string {
  return key.kind === 'string' ? key.value : goJson(jsonTerm(key));
}

/** `1e999` is a number in Rego and would be Infinity here. */
function refuseInfinite(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? finite(value) : value;
}

function startsWith(bytes: Uint8Array, start: number, expected: Uint8Array): boolean {
  for (let at = 0; at < expected.length; at += 1) if (bytes[start + at] !== expected[at]) return false;
  return true;
}

function invalid(detail: string): Answer {
  return { kind: 'invalid', fault: fault('policy_result_invalid', detail) };
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
