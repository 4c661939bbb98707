import { readsAsUtf8 } from './body-type.ts';
import { isToken } from './characters.ts';
import { readJson } from './json-text.ts';
import { readParameters } from './media-type.ts';
import { MAX_PARAMETER_NAMES } from './form-parameters.ts';

/** Values by name, in order of appearance. Without prototype. */
type FormValues = Readonly<Record<string, readonly unknown[]>>;

const MAX_PARTS = 256;
const MAX_PART_FIELDS = 16;

/** RFC 2046 section 5.1.1: 1 to 70 of these, no space at the end. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;

const UTF8_STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const UTF8_LENIENT = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * `parsed_body` of `multipart/form-data` as OPA-Envoy makes it (RFC 7578): an array of values for each name; parts of type `application/json`
 * are decoded, others are text, where octets that are no UTF-8 become U+FFFD (files are sent this way). Parts without a name are left out.
 * Gives null where the content type has no boundary, and text that says why a body is refused.
 *
 * Refused, because readers of the format differ: bare LF as line end, also before a boundary; text before the first or after the last boundary; folded
 * or repeated fields of a part; `name*`; charsets that are not UTF-8; transfer encodings other than the identity (RFC 7578 section 4.7); and more
 * than 256 parts.
 */
export function readMultipart(contentType: string, bytes: Uint8Array): FormValues | null | string {
  const boundary = readParameters(contentType)?.parameters.get('boundary');
  if (boundary === undefined) return readParameters(contentType) === undefined ? 'a malformed content-type' : null;
  if (!BOUNDARY.test(boundary)) return 'a malformed boundary';
  const parts = splitParts(latin1(bytes), boundary);
  return typeof parts === 'string' ? parts : collect(parts);
}

/** One character a byte, so that offsets in the text are offsets in the bytes. */
function latin1(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let i = 0; i < bytes.length; i += 8192) pieces.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
  return pieces.join('');
}

function splitParts(body: string, boundary: string): readonly string[] | string {
  const delimiter = `\r\n--${boundary}`;
  const text = body.startsWith('\r\n') ? body : `\r\n${body}`;
  if (!text.startsWith(delimiter)) return 'text before the first boundary';
  const parts: string[] = [];
  for (let at = delimiter.length; ;) {
    if (text.startsWith('--', at)) return isEnd(text.slice(at + 2)) ? parts : 'text after the last boundary';
    if (!text.startsWith('\r\n', at)) return 'a malformed boundary line';
    const end = text.indexOf(delimiter, at);
    if (end < 0) return 'no last boundary';
    const part = text.slice(at, end);
    if (part.includes(`\n--${boundary}`) || part.includes(`\r--${boundary}`)) return 'a boundary after a bare LF or CR';
    if (parts.push(part) > MAX_PARTS) return `more than ${MAX_PARTS} parts`;
    at = end + delimiter.length;
  }
}

function isEnd(rest: string): boolean {
  return rest === '' || rest === '\r\n';
}

function collect(parts: readonly string[]): FormValues | string {
  const values = Object.create(null) as Record<string, unknown[]>;
  let names = 0;
  for (const part of parts) {
    const read = readPart(part);
    if (typeof read === 'string') return read;
    if (read.name === undefined || read.name === '') continue;
    const before = values[read.name];
    if (before !== undefined) before.push(read.value);
    else if (++names > MAX_PARAMETER_NAMES) return 'too many names';
    else values[read.name] = [read.value];
  }
  return values;
}

type Part = { readonly name: string | undefined; readonly value: unknown };

/** `part` begins with the line end of its boundary line; a part without fields has its empty line at once (RFC 2046 section 5.1). */
function readPart(part: string): Part | string {
  const empty = part.indexOf('\r\n\r\n');
  if (empty < 0) return 'a part without an empty line after its fields';
  const fields = readPartFields(part.slice(2, empty));
  if (typeof fields === 'string') return fields;
  const encoding = fields.get('content-transfer-encoding')?.toLowerCase() ?? 'binary';
  if (!['7bit', '8bit', 'binary'].includes(encoding)) return 'a part with a transfer encoding (RFC 7578 4.7)';
  const name = partName(fields.get('content-disposition'));
  if (name === null) return 'a malformed content-disposition';
  if (name === undefined) return { name, value: undefined };
  const bytes = Uint8Array.from(part.slice(empty + 4), (character) => character.charCodeAt(0));
  return partValue(name, fields.get('content-type') ?? '', bytes);
}

function partValue(name: string, contentType: string, bytes: Uint8Array): Part | string {
  const type = contentType === '' ? undefined : readParameters(contentType);
  if (contentType !== '' && type === undefined) return 'a part with a malformed content-type';
  if (!readsAsUtf8(type?.parameters.get('charset'), bytes)) return 'a part with a charset other than UTF-8';
  if (!contentType.toLowerCase().includes('application/json')) return { name, value: UTF8_LENIENT.decode(bytes) };
  const text = strictText(bytes);
  if (text === undefined) return 'a JSON part that is no UTF-8';
  const json = readJson(text);
  return 'refused' in json ? `a JSON part with ${json.refused}` : { name, value: json.value };
}

/** UTF-8 as text, or undefined where it is none. */
export function strictText(bytes: Uint8Array): string | undefined {
  try {
    return UTF8_STRICT.decode(bytes);
  } catch {
    return undefined;
  }
}

function readPartFields(head: string): ReadonlyMap<string, string> | string {
  const fields = new Map<string, string>();
  for (const line of head === '' ? [] : head.split('\r\n', MAX_PART_FIELDS + 1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    if (!isToken(name) || /[\r\n\0]/.test(line)) return 'a malformed field in a part';
    if (fields.has(name)) return 'a repeated field in a part';
    if (fields.set(name, line.slice(colon + 1).trim()).size > MAX_PART_FIELDS) return 'too many fields in a part';
  }
  return fields;
}

/** The name of a form field; undefined for a part that is none, null where it cannot be told. */
function partName(disposition: string | undefined): string | undefined | null {
  if (disposition === undefined) return undefined;
  const read = readParameters(disposition);
  if (read === undefined || read.parameters.has('name*')) return null;
  const name = read.value === 'form-data' ? read.parameters.get('name') : undefined;
  if (name === undefined) return undefined;
  // Names are UTF-8 (RFC 7578 5.1); two that decode alike must not be told apart by policy only.
  return strictText(Uint8Array.from(name, (character) => character.charCodeAt(0))) ?? null;
}
