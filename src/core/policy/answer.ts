import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import type { GuestMemory } from './guest-memory.ts';

/** What an evaluation left in memory: a value, nothing, or something that is no answer. */
export type Answer =
  | { readonly kind: 'defined'; readonly value: unknown }
  | { readonly kind: 'undefined' }
  | { readonly kind: 'invalid'; readonly fault: Fault };

/** Longest answer, bytes of JSON. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

const TRUE = ascii('[{"result":true}]\0');
const FALSE = ascii('[{"result":false}]\0');
const NOTHING = ascii('[]\0');
const HUGE_NUMBER = /[0-9]{300}|[eE]\+?[0-9]{3}/;

const ALLOW: Answer = { kind: 'defined', value: true };
const DENY: Answer = { kind: 'defined', value: false };
const UNDEFINED: Answer = { kind: 'undefined' };

/** Reads the result set at `address`: `[]`, or `[{"result": value}]` (OPA documentation, "Wasm", result). The three commonest are told apart by their bytes. */
export function readAnswer(guest: GuestMemory, address: number): Answer {
  const start = address >>> 0;
  if (startsWith(guest.bytes, start, TRUE)) return ALLOW;
  if (startsWith(guest.bytes, start, FALSE)) return DENY;
  if (startsWith(guest.bytes, start, NOTHING)) return UNDEFINED;
  const text = guest.text(start, MAX_ANSWER_BYTES);
  if (text === undefined) return invalid('the result is too large or not there');
  return parseAnswer(text);
}

function parseAnswer(text: string): Answer {
  try {
    const set: unknown = JSON.parse(text, HUGE_NUMBER.test(text) ? refuseInfinite : undefined);
    if (!Array.isArray(set) || set.length !== 1) return invalid('the result set does not have one result');
    const first: unknown = set[0];
    if (typeof first !== 'object' || first === null || !('result' in first))
      return invalid('the result set has no result');
    return { kind: 'defined', value: first.result };
  } catch (problem) {
    return invalid(problem instanceof RangeError ? problem.message : 'the result is no JSON');
  }
}

/** `1e999` is a number in Rego and would be Infinity here. */
function refuseInfinite(_key: string, value: unknown): unknown {
  if (value === Infinity || value === -Infinity) throw new RangeError('a number of the result is out of range');
  return value;
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
