import { ownMember, putMember } from '../kernel/own-member.ts';
import { percentDecode } from './percent.ts';

/** Values by name, in order of appearance. `__proto__` is a name like any other, so only what is the object's own is one. */
export type Parameters = Readonly<Record<string, readonly string[]>>;

/**
 * Names in one query or form. OPA's WASM hashes object keys without a seed, in quadratic time for chosen ones: 1,000 cost about 25 ms
 * there, 8,000 more than a second.
 */
export const MAX_PARAMETER_NAMES = 1000;

/**
 * Parameters of a query or an `application/x-www-form-urlencoded` body, or what is wrong with it. The semantics of Go's `url.ParseQuery`:
 * split at `&`, empty pieces skipped, cut at the first `=`, `+` is a space, percent-decoded once; a `;` and a bad escape are errors.
 * Octets that are no UTF-8 become U+FFFD.
 */
export function parseParameters(text: string): Parameters | string {
  const parameters: Record<string, string[]> = {};
  let names = 0;
  for (const piece of text === '' ? [] : text.split('&')) {
    if (piece === '') continue;
    if (piece.includes(';')) return 'a semicolon between parameters (Go url.ParseQuery)';
    const equals = piece.indexOf('=');
    const name = formDecode(equals < 0 ? piece : piece.slice(0, equals));
    const value = formDecode(equals < 0 ? '' : piece.slice(equals + 1));
    if (name === undefined || value === undefined) return 'a percent sign without two hexadecimal digits';
    const values = ownMember(parameters, name);
    if (values !== undefined) values.push(value);
    else if (++names > MAX_PARAMETER_NAMES) return `more than ${MAX_PARAMETER_NAMES} names`;
    else putMember(parameters, name, [value]);
  }
  return parameters;
}

function formDecode(text: string): string | undefined {
  return percentDecode(text.includes('+') ? text.replaceAll('+', ' ') : text);
}
