import { BuiltinError, stringArg, wrongType } from '../builtin.ts';
import type { Builtin } from '../builtin.ts';
import { compareStrings, sorted } from '../term-order.ts';
import { arr, str } from '../term.ts';
import type { Term } from '../term.ts';
import { base64Url, bytesOf } from './go-bytes.ts';
import { percentBytes } from './go-url.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const MAX_QUERY_PARAMETERS = 10_000;

/** Bytes as text. Rego strings that are no Unicode cannot be carried, so those are errors here; OPA passes such bytes on. */
function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new BuiltinError('the result is no UTF-8');
  }
}

function hexDecode(args: readonly Term[]): Term {
  const value = stringArg(args, 0);
  if (value.length % 2 !== 0 || /[^0-9a-fA-F]/.test(value)) throw new BuiltinError('invalid hexadecimal');
  return str(text(Uint8Array.fromHex(value)));
}

/** Go's `url.QueryEscape`: space is `+`, everything but unreserved characters (RFC 3986 2.3) is percent-encoded. */
export function queryEscape(value: string): string {
  return encodeURIComponent(value)
    .replaceAll('%20', '+')
    .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Go's `url.QueryUnescape`. */
function unescape(value: string): string {
  return text(percentBytes(value.replaceAll('+', ' ')));
}

/** `urlquery.encode_object`: keys in order, values a string or a collection of strings. */
function encodeObject(args: readonly Term[]): Term {
  const object = args[0];
  if (object?.kind !== 'object') throw wrongType(0, 'object', object);
  const parameters = object.entries.map(([key, value]) => {
    if (key.kind !== 'string') throw wrongType(0, 'object with string keys', key);
    return { name: key.value, values: valuesOf(value) };
  });
  parameters.sort((a, b) => compareStrings(a.name, b.name));
  const pairs = parameters.flatMap(({ name, values }) =>
    values.map((value) => `${queryEscape(name)}=${queryEscape(value)}`),
  );
  return str(pairs.join('&'));
}

function valuesOf(value: Term): string[] {
  if (value.kind === 'string') return [value.value];
  if (value.kind !== 'array' && value.kind !== 'set') throw wrongType(0, 'string, array or set of strings', value);
  const items = value.kind === 'set' ? sorted(value.items) : value.items;
  return items.map((item) => stringArg([item], 0));
}

/** Go's `url.ParseQuery`: names to arrays of values; a semicolon or a bad escape anywhere is an error. */
function decodeObject(args: readonly Term[]): Term {
  const parts = stringArg(args, 0).split('&');
  if (parts.length > MAX_QUERY_PARAMETERS) throw new BuiltinError('number of URL query parameters exceeded limit');
  const found = new Map<string, string[]>();
  for (const part of parts) {
    if (part === '') continue;
    if (part.includes(';')) throw new BuiltinError('invalid semicolon separator in query');
    const cut = part.indexOf('=');
    const name = unescape(cut < 0 ? part : part.slice(0, cut));
    const value = cut < 0 ? '' : unescape(part.slice(cut + 1));
    const values = found.get(name);
    if (values === undefined) found.set(name, [value]);
    else values.push(value);
  }
  return { kind: 'object', entries: Array.from(found, ([name, values]) => [str(name), arr(values.map(str))] as const) };
}

/** Encodings that OPA does not compile into the module. */
export const ENCODING_BUILTINS: Readonly<Record<string, Builtin>> = {
  'hex.encode': { arity: 1, call: (args) => str(bytesOf(stringArg(args, 0)).toHex()) },
  'hex.decode': { arity: 1, call: hexDecode },
  'base64url.encode_no_pad': {
    arity: 1,
    call: (args) => str(base64Url(bytesOf(stringArg(args, 0)))),
  },
  'urlquery.encode': { arity: 1, call: (args) => str(queryEscape(stringArg(args, 0))) },
  'urlquery.decode': { arity: 1, call: (args) => str(unescape(stringArg(args, 0))) },
  'urlquery.encode_object': { arity: 1, call: encodeObject },
  'urlquery.decode_object': { arity: 1, call: decodeObject },
};
