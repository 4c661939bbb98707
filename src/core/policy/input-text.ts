import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';

const ESCAPED_SURROGATE = /(?:^|[^\\])(?:\\\\)*\\ud/;

/** Writes an input as JSON. What has no JSON is a fault, and so is anything but an object. */
export function writeInput<I>(input: I, encode: (input: I) => string | undefined): Result<string, Fault> {
  try {
    const text = encode(input);
    if (typeof text === 'string' && text.startsWith('{')) return ok(text);
    return err(fault('policy_input_invalid', 'the input is no object'));
  } catch (problem) {
    const code = problem instanceof RangeError ? 'policy_input_too_large' : 'policy_input_invalid';
    return err(fault(code, 'the input cannot be written as JSON'));
  }
}

/**
 * Judges the text of an input: undefined where it may be given to the module. Only text written by this host gets that far: the module's own JSON parser
 * accepts `[1 2]`, trailing bytes and doubled keys, takes what it cannot parse for undefined, and ends the evaluation at a lone surrogate.
 * Size is checked where the text is stored.
 */
export function refuseInput(text: string, maxDepth: number): Fault | undefined {
  if (hasLoneSurrogate(text)) return fault('policy_input_invalid', 'the input holds a lone surrogate');
  if (deeperThan(text, maxDepth))
    return fault('policy_input_too_large', `the input is nested more than ${maxDepth} deep`);
  return undefined;
}

/** Writes and judges an input. */
export function inputText<I>(
  input: I,
  encode: (input: I) => string | undefined,
  maxDepth: number,
): Result<string, Fault> {
  const text = writeInput(input, encode);
  if (!text.ok) return text;
  const refused = refuseInput(text.value, maxDepth);
  return refused === undefined ? text : err(refused);
}

/** `JSON.stringify` writes a lone surrogate as `\udXXX` and nothing else so (ECMA-262, QuoteJSONString); other encoders may leave it as it is. */
function hasLoneSurrogate(text: string): boolean {
  return !text.isWellFormed() || (text.includes('\\ud') && ESCAPED_SURROGATE.test(text));
}

/** True where objects and arrays of JSON text are nested more than `limit` deep. Text with few brackets, which is most, is not read through. */
function deeperThan(text: string, limit: number): boolean {
  return occurrences(text, '{', limit) + occurrences(text, '[', limit) > limit && depthOf(text) > limit;
}

function occurrences(text: string, char: string, enough: number): number {
  let count = 0;
  for (let at = text.indexOf(char); at >= 0 && count <= enough; at = text.indexOf(char, at + 1)) count += 1;
  return count;
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === 0x22) at = endOfString(text, at);
    else if (char === 0x7b || char === 0x5b) deepest = Math.max(deepest, (depth += 1));
    else if (char === 0x7d || char === 0x5d) depth -= 1;
  }
  return deepest;
}

/** Position of the quote that ends the string whose quote is at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
}
