import type { HeaderList } from '../kernel/headers.ts';
import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import type { Limits } from '../model/limits.ts';
import { fieldNameKind, hasEdgeSpace, hasForbiddenBytes, shown } from './characters.ts';
import { FIELDS, ownedByPrefix } from './field-table.ts';
import type { FieldRule } from './field-table.ts';

/** What one pass over a field section found. Filled here only; `canonicalise` turns it into a frozen request. */
export class Fields {
  /** What is passed on: lower-case names, order of receipt. */
  passed: string[] = [];
  host: string | undefined = undefined;
  contentLength: string | undefined = undefined;
  contentType: string | undefined = undefined;
  /** All values of a list field, joined with `,`. */
  connection: string | undefined = undefined;
  transferEncoding: string | undefined = undefined;
  upgrade: string | undefined = undefined;
  te: string | undefined = undefined;
  expect: string | undefined = undefined;
  grpcTimeout: string | undefined = undefined;
  webSocketKey: string | undefined = undefined;
  webSocketVersion: string | undefined = undefined;
  /** More than one is no `traceparent` at all (W3C Trace Context 3.2): the empty string, which no reader accepts. */
  traceparent: string | undefined = undefined;
  tracestate: string | undefined = undefined;
  /** Index of the cookie's value in `passed`; -1 where there is none. */
  cookieAt = -1;
  /** Bits of the `once` fields that were seen. */
  seen = 0;
}

/** Bytes that each field counts besides name and value (RFC 7541 section 4.1). */
const FIELD_OVERHEAD = 32;

/** True where the head fits: pairs, number of fields and their bytes. Checked before anything is read. Fault: `headers_too_large`, `header_invalid`. */
export function checkHeadSize(list: HeaderList, limits: Limits): Fault | undefined {
  if (list.length % 2 !== 0) return fault('header_invalid', 'the field list is not of pairs');
  if (list.length / 2 > limits.headerCount) {
    return fault('headers_too_large', `${list.length / 2} fields, ${limits.headerCount} allowed`);
  }
  let bytes = (list.length / 2) * FIELD_OVERHEAD;
  for (let i = 0; i < list.length; i++) bytes += (list[i] as string).length;
  return bytes > limits.headerBytes
    ? fault('headers_too_large', `${bytes} bytes of fields, ${limits.headerBytes} allowed`)
    : undefined;
}

/**
 * Reads the fields of an HTTP/1.1 head (RFC 9112 section 5) in one pass. Values come without optional white space.
 * Faults: `header_invalid`, `header_duplicate`, `framing_ambiguous`, `host_invalid`.
 */
export function readHttp1Fields(list: HeaderList): Fields | Fault {
  const fields = new Fields();
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i] as string;
    let value = list[i + 1] as string;
    if (hasEdgeSpace(value)) value = trimOws(value);
    if (hasForbiddenBytes(value)) return forbiddenValue(name);
    const rule = FIELDS.get(name);
    const problem = rule === undefined ? admitUnlisted(fields, name, value) : admit(fields, rule, value);
    if (problem !== undefined) return problem;
  }
  return fields;
}

/**
 * Reads the regular fields of an HTTP/2 head from index `from` (RFC 9113 section 8.2): lower-case names, no white space around values, no
 * connection-specific fields, cookie crumbs joined. Faults as for HTTP/1.1, and `pseudo_header_invalid` for a pseudo-header after a field.
 */
export function readHttp2Fields(list: HeaderList, from: number): Fields | Fault {
  const fields = new Fields();
  for (let i = from; i + 1 < list.length; i += 2) {
    const name = list[i] as string;
    const value = list[i + 1] as string;
    if (hasForbiddenBytes(value) || hasEdgeSpace(value)) return forbiddenValue(name);
    const rule = FIELDS.get(name);
    const problem =
      rule === undefined ? admitUnlistedHttp2(fields, name, value) : admitHttp2(fields, rule, name, value);
    if (problem !== undefined) return problem;
  }
  return fields;
}

function admitHttp2(fields: Fields, rule: FieldRule, name: string, value: string): Fault | undefined {
  if (rule.name !== name) return fault('header_invalid', `${shown(name)} is not lower case (RFC 9113 8.2.1)`);
  if (rule.refusedInHttp2) return fault('header_invalid', `${name} has no place in HTTP/2 (RFC 9113 8.2.2)`);
  if (name === 'te' && value !== 'trailers') return fault('header_invalid', 'te is not trailers (RFC 9113 8.2.2)');
  if (name === 'cookie' && fields.cookieAt >= 0) {
    // RFC 9113 8.2.3: crumbs are one cookie; joined here, so that every reader after us sees the same one.
    fields.passed[fields.cookieAt] += `; ${value}`;
    return undefined;
  }
  return admit(fields, rule, value);
}

function admitUnlistedHttp2(fields: Fields, name: string, value: string): Fault | undefined {
  if (name.startsWith(':')) return fault('pseudo_header_invalid', `${shown(name)} is unknown or after a field`);
  if (fieldNameKind(name) === 'mixed')
    return fault('header_invalid', `${shown(name)} is not lower case (RFC 9113 8.2.1)`);
  return admitUnlisted(fields, name, value);
}

/** A field under a name that the table does not have in this spelling. */
function admitUnlisted(fields: Fields, name: string, value: string): Fault | undefined {
  const kind = fieldNameKind(name);
  switch (kind) {
    case 'lower':
      if (!ownedByPrefix(name)) fields.passed.push(name, value);
      return undefined;
    case 'mixed': {
      const lower = name.toLowerCase();
      const rule = FIELDS.get(lower);
      return rule === undefined ? admitUnlisted(fields, lower, value) : admit(fields, rule, value);
    }
    case 'underscore':
      return fault('header_invalid', `${shown(name)} has an underscore, which some readers take for a hyphen`);
    case 'invalid':
      return fault('header_invalid', `${shown(name)} is no token (RFC 9110 5.1)`);
    default:
      return unreachable(kind);
  }
}

function admit(fields: Fields, rule: FieldRule, value: string): Fault | undefined {
  switch (rule.fate) {
    case 'pass':
      if (rule.once !== 0) {
        if ((fields.seen & rule.once) !== 0) return duplicate(rule.name);
        fields.seen |= rule.once;
      }
      fields.passed.push(rule.name, value);
      return undefined;
    case 'drop':
      return undefined;
    case 'refuse':
      return fault('header_invalid', `${rule.name} asks for another method than the one that is judged`);
    case 'read':
      return READERS.get(rule.name)?.(fields, value);
    default:
      return unreachable(rule.fate);
  }
}

type Reader = (fields: Fields, value: string) => Fault | undefined;

/** Names of `Fields` that hold a value which may stand once. */
type OnceKey = 'expect' | 'te' | 'upgrade';
type PassedOnceKey = 'contentType' | 'grpcTimeout' | 'webSocketKey' | 'webSocketVersion';

function once(key: OnceKey, name: string): Reader {
  return (fields, value) => {
    if (fields[key] !== undefined) return duplicate(name);
    fields[key] = value;
    return undefined;
  };
}

function passedOnce(key: PassedOnceKey, name: string): Reader {
  return (fields, value) => {
    if (fields[key] !== undefined) return duplicate(name);
    fields[key] = value;
    fields.passed.push(name, value);
    return undefined;
  };
}

/** How each `read` field of the table is read. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['content-type', passedOnce('contentType', 'content-type')],
  ['grpc-timeout', passedOnce('grpcTimeout', 'grpc-timeout')],
  ['sec-websocket-key', passedOnce('webSocketKey', 'sec-websocket-key')],
  ['sec-websocket-version', passedOnce('webSocketVersion', 'sec-websocket-version')],
  ['expect', once('expect', 'expect')],
  ['te', once('te', 'te')],
  ['upgrade', once('upgrade', 'upgrade')],
  ['host', readHost],
  ['content-length', readContentLength],
  ['transfer-encoding', readTransferEncoding],
  ['cookie', readCookie],
  ['connection', joined('connection')],
  ['tracestate', joined('tracestate')],
  ['traceparent', readTraceparent],
]);

function joined(key: 'connection' | 'tracestate'): Reader {
  return (fields, value) => {
    const before = fields[key];
    fields[key] = before === undefined ? value : `${before},${value}`;
    return undefined;
  };
}

function readHost(fields: Fields, value: string): Fault | undefined {
  // Envoy CVE-2026-73550; RFC 9112 3.2: more than one Host is answered with 400.
  if (fields.host !== undefined) return fault('host_invalid', 'more than one host (RFC 9112 3.2)');
  fields.host = value;
  return undefined;
}

function readContentLength(fields: Fields, value: string): Fault | undefined {
  if (fields.contentLength !== undefined)
    return fault('framing_ambiguous', 'more than one content-length (RFC 9112 6.3)');
  fields.contentLength = value;
  fields.passed.push('content-length', value);
  return undefined;
}

function readTransferEncoding(fields: Fields, value: string): Fault | undefined {
  if (fields.transferEncoding !== undefined) return fault('framing_ambiguous', 'more than one transfer-encoding');
  fields.transferEncoding = value;
  return undefined;
}

function readCookie(fields: Fields, value: string): Fault | undefined {
  // RFC 6265 5.4: one Cookie field; readers of two take the first, the last, or join them in two ways.
  if (fields.cookieAt >= 0) return duplicate('cookie');
  fields.cookieAt = fields.passed.push('cookie', value) - 1;
  return undefined;
}

function readTraceparent(fields: Fields, value: string): Fault | undefined {
  fields.traceparent = fields.traceparent === undefined ? value : '';
  return undefined;
}

function unreachable(value: never): never {
  throw new TypeError(`unknown kind ${String(value)}`);
}

function duplicate(name: string): Fault {
  return fault('header_duplicate', `${name} is there twice`);
}

function forbiddenValue(name: string): Fault {
  return fault('header_invalid', `the value of ${shown(name)} has bytes that are not allowed (RFC 9110 5.5)`);
}

/** Without the optional white space around a value (RFC 9112 section 5: OWS is space and tab only). */
export function trimOws(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text.charCodeAt(start) === 0x20 || text.charCodeAt(start) === 0x09)) start++;
  while (end > start && (text.charCodeAt(end - 1) === 0x20 || text.charCodeAt(end - 1) === 0x09)) end--;
  return text.slice(start, end);
}
