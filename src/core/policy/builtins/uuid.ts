import { uuidV4 } from '../../kernel/uuid.ts';
import { BuiltinError, stringArg } from '../builtin.ts';
import type { Builtin } from '../builtin.ts';
import { NULL, num, str } from '../term.ts';
import type { Term } from '../term.ts';
import { goJson } from './go-json.ts';
import { jsonTerm } from './json-term.ts';

/** The forms that are read: plain, as a URN, between any two characters, and 32 digits. */
const FORM =
  /^(?:urn:uuid:|[\u0000-\u007f](?=[^]{37}$))?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})([\u0000-\u007f]?)$/i;
const DIGITS = /^[0-9a-f]{32}$/i;
/** From 15 October 1582, where UUIDs count from, to 1970, in steps of 100 ns (RFC 9562 section 5.1). */
const GREGORIAN = 122_192_928_000_000_000n;
const DOMAINS = ['Person', 'Group', 'Org'];

function bytesOf(text: string): Uint8Array {
  if (DIGITS.test(text)) return Uint8Array.fromHex(text);
  const found = FORM.exec(text);
  if (found === null || (found[2] !== '' && text.length !== 38)) throw new BuiltinError('invalid UUID format');
  return Uint8Array.fromHex((found[1] ?? '').replaceAll('-', ''));
}

/** `uuid.parse`: version and variant, and of versions 1 and 2 what they carry. */
function parse(args: readonly Term[]): Term {
  const bytes = bytesOf(stringArg(args, 0));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const version = view.getUint8(6) >> 4;
  const fields: [string, Term][] = [
    ['version', num(version)],
    ['variant', str(variant(view.getUint8(8)))],
  ];
  if (version === 1 || version === 2) {
    const node = bytes.subarray(10);
    fields.push(['time', num(unixTime(view))]);
    fields.push(['nodeid', str(Array.from(node, (byte) => byte.toString(16).padStart(2, '0')).join('-'))]);
    fields.push(['macvariables', str(macVariables(node[0] ?? 0))]);
    fields.push(['clocksequence', num(view.getUint16(8) & 0x3fff)]);
  }
  if (version === 2) {
    const domain = view.getUint8(9);
    fields.push(['id', num(view.getUint32(0))]);
    fields.push(['domain', str(DOMAINS[domain] ?? `Domain${domain}`)]);
  }
  return { kind: 'object', entries: fields.map(([name, value]) => [str(name), value] as const) };
}

/** Nanoseconds since 1970, in 64 bits as in Go: times that do not fit go round. */
function unixTime(view: DataView): bigint {
  const high = BigInt(view.getUint16(6) & 0xfff) << 48n;
  const middle = BigInt(view.getUint16(4)) << 32n;
  return BigInt.asIntN(64, (high + middle + BigInt(view.getUint32(0)) - GREGORIAN) * 100n);
}

/** RFC 9562 section 4.1. */
function variant(byte: number): string {
  if ((byte & 0xc0) === 0x80) return 'RFC4122';
  if ((byte & 0xe0) === 0xc0) return 'Microsoft';
  return (byte & 0xe0) === 0xe0 ? 'Future' : 'Reserved';
}

/** The two flags of a MAC address, in OPA's words. */
function macVariables(byte: number): string {
  const flags = ['global:unicast', 'global:multicast', 'local:unicast', 'local:multicast'];
  return flags[byte & 3] ?? '';
}

/** UUIDs. `uuid.rfc4122` gives the same one for the same text within a decision. */
export const UUID_BUILTINS: Readonly<Record<string, Builtin>> = {
  'uuid.parse': { arity: 1, call: parse },
  'uuid.rfc4122': {
    arity: 1,
    nondeterministic: true,
    call: ([label], context) =>
      str(uuidV4((length) => context.random(`uuid.rfc4122 ${goJson(jsonTerm(label ?? NULL))}`, length).slice())),
  },
};
