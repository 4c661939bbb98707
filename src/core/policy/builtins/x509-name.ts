import { BuiltinError } from '../builtin.ts';
import { DerReader, TAG } from './der.ts';
import { textOf } from './go-bytes.ts';

/** One attribute of a distinguished name: its type as numbers, its value as text. */
export type NameAttribute = { readonly type: readonly number[]; readonly value: string };

/** Go takes an asterisk and an ampersand in a PrintableString besides what X.680 has, since certificates in use have them. */
const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?*&]*$/;
// eslint-disable-next-line no-control-regex -- IA5 is all of ASCII
const IA5 = /^[\x00-\x7f]*$/;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The attributes of a Name (RFC 5280 4.1.2.4) in order; which stand together in a set is lost, as it is in what OPA shows. */
export function readName(der: Uint8Array): NameAttribute[] {
  const attributes: NameAttribute[] = [];
  for (const { tag, body } of new DerReader(der).into(TAG.sequence).all()) {
    if (tag !== TAG.set) throw new BuiltinError('malformed name');
    const set = new DerReader(body);
    while (!set.empty) {
      const attribute = set.into(TAG.sequence);
      const type = attribute.oid();
      const value = attribute.any();
      attributes.push({ type, value: stringOf(value.tag, value.body) });
    }
  }
  return attributes;
}

function stringOf(tag: number, body: Uint8Array): string {
  switch (tag) {
    case TAG.utf8:
      return checked(() => strict.decode(body));
    case TAG.printable:
      return matching(latin1(body), PRINTABLE);
    case TAG.ia5:
      return ia5(body);
    case TAG.numeric:
      return matching(latin1(body), /^[0-9 ]*$/);
    case TAG.t61:
      return latin1(body);
    case TAG.bmp:
      return bmp(body);
    default:
      throw new BuiltinError(`a string of unsupported type ${tag}`);
  }
}

/** Text of an IA5String, which is ASCII. */
export function ia5(body: Uint8Array): string {
  return matching(latin1(body), IA5);
}

function matching(text: string, pattern: RegExp): string {
  if (!pattern.test(text)) throw new BuiltinError('a string has characters that its type does not allow');
  return text;
}

function checked(read: () => string): string {
  try {
    return read();
  } catch {
    throw new BuiltinError('a string is no UTF-8');
  }
}

function latin1(body: Uint8Array): string {
  return textOf(body.every((byte) => byte < 0x80) ? body : Uint8Array.from(Array.from(body).flatMap(twoBytes)));
}

/** A character of Latin-1 in UTF-8. */
function twoBytes(byte: number): number[] {
  return byte < 0x80 ? [byte] : [0xc0 | (byte >> 6), 0x80 | (byte & 0x3f)];
}

/** UCS-2 without surrogates and noncharacters; one terminating zero is dropped. */
function bmp(body: Uint8Array): string {
  if (body.length % 2 !== 0) throw new BuiltinError('malformed BMPString');
  const units = Array.from(
    { length: body.length / 2 },
    (_, at) => ((body[at * 2] ?? 0) << 8) | (body[at * 2 + 1] ?? 0),
  );
  if (units.at(-1) === 0) units.pop();
  const reserved = units.some(
    (unit) => unit >= 0xfffe || (unit >= 0xfdd0 && unit <= 0xfdef) || (unit >= 0xd800 && unit <= 0xdfff),
  );
  if (reserved) throw new BuiltinError('malformed BMPString');
  return units.map((unit) => String.fromCharCode(unit)).join('');
}
