import { latin1 } from './bytes.ts';
import { DerReader, TAG } from './der.ts';
import { readOid } from './der-values.ts';

/** The longest encoded name that is read; names stand in records and headers. */
const MAX_NAME_BYTES = 4096;

/** Attribute types that RFC 4514 section 3 has short names for. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.6': 'C',
  '2.5.4.9': 'STREET',
  '0.9.2342.19200300.100.1.25': 'DC',
  '0.9.2342.19200300.100.1.1': 'UID',
};

/**
 * Reads a Name (RFC 5280 4.1.2.4) and gives it back encoded, at most 4096 bytes. Names are compared as they are encoded: an issuer is to be
 * encoded like the subject it names (RFC 5280 4.1.2.4).
 */
export function readName(reader: DerReader, what: string): Uint8Array {
  const encoded = reader.whole(TAG.sequence, what);
  if (encoded.length > MAX_NAME_BYTES) reader.fail(`${what}: over ${MAX_NAME_BYTES} bytes`);
  else readAttributes(reader.over(encoded), what);
  return encoded;
}

/** True for a name without any part. */
export function isEmptyName(name: Uint8Array): boolean {
  return name.length <= 2;
}

type Attribute = { readonly type: string; readonly value: Uint8Array };

function readAttributes(reader: DerReader, what: string): readonly (readonly Attribute[])[] {
  const sequence = reader.enter(TAG.sequence, what);
  const names: (readonly Attribute[])[] = [];
  while (!sequence.atEnd) {
    const set = sequence.enter(TAG.set, what);
    const attributes: Attribute[] = [];
    do attributes.push(readAttribute(set, what));
    while (!set.atEnd);
    names.push(attributes);
  }
  return names;
}

function readAttribute(set: DerReader, what: string): Attribute {
  const pair = set.enter(TAG.sequence, what);
  const type = readOid(pair, what);
  const value = pair.whole(pair.nextTag, what);
  pair.close(what);
  return { type, value };
}

/**
 * A name that `readName` gave, as an RFC 4514 string: last part first, special and control characters escaped, values that are no plain
 * text in the `#` form. Two different names never give the same string.
 */
export function formatName(name: Uint8Array): string {
  const parts = readAttributes(new DerReader(name), 'name').map((attributes) =>
    attributes.map(formatAttribute).join('+'),
  );
  return parts.toReversed().join(',');
}

/** `formatName`, cut to 200 characters: for messages, where the name may be what an attacker wrote. */
export function shortName(name: Uint8Array): string {
  const text = formatName(name);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function formatAttribute({ type, value }: Attribute): string {
  const short = SHORT_NAMES[type];
  const text = short === undefined ? undefined : textOf(value);
  return `${short ?? type}=${text === undefined ? `#${value.toHex()}` : escapeValue(text)}`;
}

/** The text of a string type whose reading is beyond doubt; undefined for others (Teletex, BMP, …). */
function textOf(value: Uint8Array): string | undefined {
  const reader = new DerReader(value);
  const tag = reader.nextTag;
  if (tag !== TAG.utf8String && tag !== TAG.printableString && tag !== TAG.ia5String) return undefined;
  const content = reader.content(tag, 'value');
  if (tag !== TAG.utf8String) return content.some((octet) => octet > 0x7f) ? undefined : latin1(content);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** RFC 4514 section 2.4; control characters as pairs of hexadecimal digits as well, so that a name stays on one line. */
function escapeValue(text: string): string {
  return text
    .replaceAll(/["+,;<>\\]/g, '\\$&')
    .replaceAll(/[\u0000-\u001f\u007f]/g, (char) => `\\${Uint8Array.of(char.charCodeAt(0)).toHex()}`)
    .replaceAll(/^[ #]| $/g, '\\$&');
}
