import type { HeaderList } from '../kernel/headers.ts';
import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Bytes that no field value may hold (RFC 9110 section 5.5): controls but for the tab. */
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const NON_ASCII = /[^\u0000-\u007f]/;
const encoder = new TextEncoder();

/** Fields that frame a message or belong to one connection (RFC 9110 section 7.6.1, RFC 9112 section 6): a policy cannot set them. */
const FRAMING = [
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
export const REQUEST_FRAMING: ReadonlySet<string> = new Set([...FRAMING, 'host', 'expect', 'http2-settings']);
export const RESPONSE_FRAMING: ReadonlySet<string> = new Set(FRAMING);
/** Envoy ignores these in `headers_to_remove`; without them the request would not be one. */
const NEVER_REMOVED: ReadonlySet<string> = new Set(['host', ...FRAMING]);

/**
 * Header fields of a decision: an object, or an array of objects, of strings or arrays of strings. Names become lower case, values bytes (UTF-8) without
 * leading and trailing white space. `policy_result_invalid` for another shape, `policy_obligation_invalid` for a field that cannot be sent.
 */
export function readHeaders(value: unknown, key: string, forbidden: ReadonlySet<string>): Result<HeaderList, Fault> {
  const fields: string[] = [];
  for (const part of value === undefined ? [] : Array.isArray(value) ? (value as unknown[]) : [value]) {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return err(wrongShape(key));
    for (const [name, content] of Object.entries(part as Readonly<Record<string, unknown>>)) {
      for (const text of Array.isArray(content) ? (content as unknown[]) : [content]) {
        if (typeof text !== 'string') return err(wrongShape(key));
        const sendable = fieldValue(text);
        const lower = name.toLowerCase();
        if (!TOKEN.test(name) || sendable === undefined || forbidden.has(lower)) return err(cannotBeSent(key, name));
        fields.push(lower, sendable);
      }
    }
  }
  return ok(fields);
}

/** Names of fields to remove. Pseudo-header fields and those that frame the request are passed over, as Envoy does. */
export function readNames(value: unknown, key: string): Result<readonly string[], Fault> {
  if (value === undefined) return ok([]);
  if (!Array.isArray(value)) return err(wrongShape(key));
  const names: string[] = [];
  for (const name of value as unknown[]) {
    if (typeof name !== 'string') return err(wrongShape(key));
    const lower = name.toLowerCase();
    if (lower.startsWith(':') || NEVER_REMOVED.has(lower)) continue;
    if (!TOKEN.test(name)) return err(cannotBeSent(key, name));
    names.push(lower);
  }
  return ok(names);
}

/** `query_parameters_to_set`: an object of strings or arrays of strings, flat. A parameter needs a name. */
export function readQuery(value: unknown): Result<readonly string[], Fault> {
  const key = 'query_parameters_to_set';
  if (value === undefined) return ok([]);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return err(wrongShape(key));
  const flat: string[] = [];
  for (const [name, content] of Object.entries(value as Readonly<Record<string, unknown>>)) {
    for (const text of Array.isArray(content) ? (content as unknown[]) : [content]) {
      if (typeof text !== 'string') return err(wrongShape(key));
      if (name === '') return err(cannotBeSent(key, name));
      flat.push(name, text);
    }
  }
  return ok(flat);
}

/** A value as it goes on the wire: UTF-8 bytes as a Latin-1 string; undefined where it holds controls. */
function fieldValue(text: string): string | undefined {
  if (CONTROL.test(text)) return undefined;
  const trimmed = withoutOuterSpace(text);
  if (!NON_ASCII.test(trimmed)) return trimmed;
  return Array.from(encoder.encode(trimmed), (byte) => String.fromCharCode(byte)).join('');
}

function withoutOuterSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function wrongShape(key: string): Fault {
  return fault('policy_result_invalid', `${key} is not of the shape that OPA-Envoy defines`);
}

function cannotBeSent(key: string, name: string): Fault {
  return fault(
    'policy_obligation_invalid',
    `${key} has a field that cannot be sent: ${JSON.stringify(name).slice(0, 80)}`,
  );
}
