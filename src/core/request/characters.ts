/** Character classes as tables indexed by byte: one look-up a character, no backtracking, no prototype. */

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';

/** A table with 1 at each character of `text`. Codes beyond the table read as undefined, which is no member either. */
export function classOf(text: string): Uint8Array {
  const table = new Uint8Array(256);
  for (let i = 0; i < text.length; i++) table[text.charCodeAt(i)] = 1;
  return table;
}

const ALPHANUMERIC = LETTERS + LETTERS.toUpperCase() + DIGITS;

/** RFC 3986 section 2.3. */
export const UNRESERVED = classOf(`${ALPHANUMERIC}-._~`);

/** RFC 3986 section 3.3: pchar without pct-encoded. */
export const PCHAR = classOf(`${ALPHANUMERIC}-._~!$&'()*+,;=:@`);

/**
 * What a query may hold besides pct-encoded: RFC 3986 section 3.4, and the six marks that browsers and common HTTP clients send as they are (WHATWG URL,
 * "query percent-encode set", leaves them alone), such as the brackets of `tag[]=a`. No reader takes them for something else.
 */
export const QUERY = classOf(`${ALPHANUMERIC}-._~!$&'()*+,;=:@/?[]{}|^`);

/** RFC 9110 section 5.6.2: tchar. */
const TOKEN = classOf(`${ALPHANUMERIC}!#$%&'*+-.^_\`|~`);

/** True for a token (RFC 9110 section 5.6.2): at least one tchar and nothing else. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (TOKEN[text.charCodeAt(i)] !== 1) return false;
  return text.length > 0;
}

/** True where every character of `text` is of the class. */
export function isAll(text: string, table: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (table[text.charCodeAt(i)] !== 1) return false;
  return true;
}

const DECIMAL = classOf(DIGITS);

/** True for one or more ASCII digits. */
export function isDigits(text: string): boolean {
  return text.length > 0 && isAll(text, DECIMAL);
}

const HEX_VALUE: Int8Array = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_VALUE[digit.charCodeAt(0)] = value;
  HEX_VALUE[digit.toUpperCase().charCodeAt(0)] = value;
}

/** The byte that the two hexadecimal digits at `at` spell, or -1 where there are no two. */
export function hexByte(text: string, at: number): number {
  const high = HEX_VALUE[text.charCodeAt(at)] ?? -1;
  const low = HEX_VALUE[text.charCodeAt(at + 1)] ?? -1;
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

const UPPER = 2;
const UNDERSCORE = 3;

const NAME: Uint8Array = TOKEN.slice();
for (const letter of LETTERS.toUpperCase()) NAME[letter.charCodeAt(0)] = UPPER;
NAME['_'.charCodeAt(0)] = UNDERSCORE;

/**
 * What a field name is: `lower` and `mixed` are tokens, the latter with upper-case letters; `underscore` is a token that CGI-like agents
 * cannot tell from the same name with hyphens (Envoy's edge guide: REJECT_REQUEST); `invalid` is no token (RFC 9110 section 5.1).
 */
export function fieldNameKind(name: string): 'lower' | 'mixed' | 'underscore' | 'invalid' {
  let kind: 'lower' | 'mixed' | 'underscore' = 'lower';
  for (let i = 0; i < name.length; i++) {
    const found = NAME[name.charCodeAt(i)];
    if (found === 1) continue;
    if (found === UPPER) kind = kind === 'lower' ? 'mixed' : kind;
    else if (found === UNDERSCORE) kind = 'underscore';
    else return 'invalid';
  }
  return name.length > 0 ? kind : 'invalid';
}

/** One class, so the search is linear: anything but visible ASCII, space and tab. */
const NOT_FIELD_TEXT = /[^\t\x20-\x7e]/;

/** True where a field value holds a control character (CR, LF and NUL among them) or obs-text (RFC 9110 section 5.5). */
export function hasForbiddenBytes(value: string): boolean {
  return NOT_FIELD_TEXT.test(value);
}

/** True where `text` starts or ends with a space or tab. */
export function hasEdgeSpace(text: string): boolean {
  if (text.length === 0) return false;
  const first = text.charCodeAt(0);
  const last = text.charCodeAt(text.length - 1);
  return first === 0x20 || first === 0x09 || last === 0x20 || last === 0x09;
}

/** Text of a peer for a fault's detail: short and printable. Only names and forms are shown, never values. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}
