import { BuiltinError } from '../builtin.ts';
import { bytesOf } from './go-bytes.ts';
import { canBackquote, goQuote } from './go-quote.ts';
import { formatFloat } from './go-float.ts';
import { binaryFloat, hexFloat, withPoint } from './go-float-hex.ts';
import { GO_LIST, GO_MAP, elements } from './go-value.ts';
import type { GoGroup, GoValue } from './go-value.ts';

/** One `%` directive of Go's `fmt`: flags, width, precision and verb. */
export type Directive = {
  readonly plus: boolean;
  readonly minus: boolean;
  readonly sharp: boolean;
  readonly space: boolean;
  readonly zero: boolean;
  readonly width: number | undefined;
  readonly precision: number | undefined;
  readonly verb: string;
};

/** `%v` without anything. */
export const PLAIN: Directive = {
  plus: false,
  minus: false,
  sharp: false,
  space: false,
  zero: false,
  width: undefined,
  precision: undefined,
  verb: 'v',
};

/** Formats one operand (Go `fmt`, "Printing"). A verb that does not fit the operand gives Go's `%!verb(type=value)`. */
export function formatValue(directive: Directive, value: GoValue): string {
  if (value.kind === '<nil>') return formatNil(directive);
  if (directive.verb === 'p' && (value.kind === GO_MAP || value.kind === GO_LIST)) return refuse('p');
  if (directive.verb === 'T') return padded(directive, truncated(directive, value.kind));
  // `%w` is for errors only, and takes the flags as `%v` does.
  if (directive.verb === 'w' && value.kind !== '*big.Int')
    return `%!w(${value.kind}=${formatValue({ ...directive, verb: 'v' }, value)})`;
  if (directive.verb !== 'v' || value.kind === '*big.Int') return format(directive, value) ?? badVerb(directive, value);
  // `%#v` and `%+v` ask for Go syntax, which shows on strings, bytes, and what holds values.
  const plain = { ...directive, plus: false, sharp: false };
  return (directive.sharp ? goSyntax(directive, value) : undefined) ?? format(plain, value) ?? '';
}

/** `%#v` where it is not `%v`. */
function goSyntax(d: Directive, value: GoValue): string | undefined {
  const plain = { ...d, plus: false, sharp: false };
  if (value.kind === 'string' || value.kind === 'json.Number') return format({ ...plain, verb: 'q' }, value);
  if (value.kind === 'uint8') return format({ ...plain, sharp: true, verb: 'x' }, value);
  return value.kind === GO_MAP || value.kind === GO_LIST ? formatGroup(d, value) : undefined;
}

/** No value has no type, so there is only `%v` and `%T`. */
function formatNil(d: Directive): string {
  return d.verb === 'v' || d.verb === 'T' ? padded(d, '<nil>') : `%!${d.verb}(<nil>)`;
}

/** A map or a list: the directive is for each value in it. */
function formatGroup(d: Directive, value: GoGroup): string {
  const syntax = d.verb === 'v' && d.sharp;
  const parts =
    value.kind === GO_MAP
      ? [...value.entries].map(([key, item]) => `${formatValue(d, { kind: 'string', value: key })}:${inner(d, item)}`)
      : elements(value).map((item) => inner(d, item));
  if (syntax) return `${value.kind}{${parts.join(', ')}}`;
  return `${value.kind === GO_MAP ? 'map' : ''}[${parts.join(' ')}]`;
}

/** A value within another: that there is none is not padded. */
function inner(d: Directive, value: GoValue): string {
  if (value.kind !== '<nil>') return formatValue(d, value);
  return d.verb === 'v' && d.sharp ? 'interface {}(nil)' : '<nil>';
}

function format(d: Directive, value: GoValue): string | undefined {
  switch (value.kind) {
    case 'string':
    case 'json.Number':
      return formatString(d, value.value);
    case 'int64':
    case 'int':
    case 'uint8':
      return formatInteger(d, value.value);
    case 'bool':
      return d.verb === 't' || d.verb === 'v' ? padded(d, String(value.value)) : undefined;
    case GO_MAP:
    case GO_LIST:
      return formatGroup(d, value);
    case '<nil>':
      return formatNil(d);
    case 'float64':
      return formatNumber(d, value.value);
    case '*big.Int':
      return formatBig(d, value.value);
    default:
      return value satisfies never;
  }
}

/** The value with the same flags and width, and what was wrong. */
function badVerb(d: Directive, value: GoValue): string {
  if (value.kind === '*big.Int') return `%!${d.verb}(big.Int=${value.value})`;
  return `%!${d.verb}(${value.kind}=${format({ ...d, verb: 'v' }, value) ?? ''})`;
}

function refuse(verb: string): never {
  throw new BuiltinError(`%${verb} is not supported for this operand`);
}

function formatString(d: Directive, value: string): string | undefined {
  switch (d.verb) {
    case 's':
    case 'v':
      return padded(d, truncated(d, value));
    case 'q':
      return quote(d, value);
    case 'x':
    case 'X':
      return hexadecimal(d, value);
    default:
      return undefined;
  }
}

function quote(d: Directive, value: string): string {
  const text = truncated(d, value);
  return padded(d, d.sharp && canBackquote(text) ? `\`${text}\`` : goQuote(text, d.plus));
}

/** Bytes as hexadecimal; `space` between them, `sharp` a 0x before each run. */
function hexadecimal(d: Directive, value: string): string {
  const bytes = bytesOf(value);
  const shown = Array.from(bytes.subarray(0, d.precision ?? bytes.length), (byte) =>
    byte.toString(16).padStart(2, '0'),
  );
  const prefix = d.sharp && shown.length > 0 ? '0x' : '';
  const text = d.space ? shown.map((byte) => prefix + byte).join(' ') : prefix + shown.join('');
  return padded(d, d.verb === 'X' ? text.toUpperCase() : text);
}

const BASES: Readonly<Record<string, number>> = { d: 10, v: 10, b: 2, o: 8, O: 8, x: 16, X: 16 };

function formatInteger(d: Directive, value: bigint): string | undefined {
  if (d.verb === 'c') return padded(d, character(value));
  const base = BASES[d.verb];
  if (d.verb === 'q') return padded(d, quotedCharacter(character(value), d.plus));
  if (d.verb === 'U') return padded({ ...d, zero: false }, codePoint(d, BigInt.asUintN(64, value)));
  if (base === undefined) return undefined;
  if (d.precision === 0 && value === 0n) return ' '.repeat(d.width ?? 0);
  const sign = value < 0n ? '-' : d.plus ? '+' : d.space ? ' ' : '';
  const zeroWidth = d.zero && !d.minus && d.width !== undefined ? d.width - sign.length : 0;
  const digits = magnitude(value)
    .toString(base)
    .padStart(d.precision ?? zeroWidth, '0');
  const text = sign + integerPrefix(d, base, digits) + digits;
  return padded({ ...d, zero: false }, d.verb === 'X' ? text.toUpperCase() : text);
}

function integerPrefix(d: Directive, base: number, digits: string): string {
  if (d.verb === 'O') return d.sharp && !digits.startsWith('0') ? '0o0' : '0o';
  if (!d.sharp) return '';
  if (base === 2) return '0b';
  if (base === 8) return digits.startsWith('0') ? '' : '0';
  return base === 16 ? '0x' : '';
}

/** `math/big.Int.Format`: no `%c`, and `%s` is `%d`. */
function formatBig(d: Directive, value: bigint): string | undefined {
  if (d.verb === 'p' || d.verb === 'w') return refuse(d.verb);
  const base = d.verb === 's' ? 10 : BASES[d.verb];
  if (base === undefined) return undefined;
  const sign = value < 0n ? '-' : d.plus ? '+' : d.space ? ' ' : '';
  const marks: Readonly<Record<string, string>> = { b: '0b', o: '0', x: '0x', X: '0X' };
  const prefix = d.verb === 'O' ? '0o' : d.sharp ? (marks[d.verb] ?? '') : '';
  const plain = magnitude(value).toString(base);
  const digits = (d.verb === 'X' ? plain.toUpperCase() : plain).padStart(d.precision ?? 0, '0');
  const missing = Math.max((d.width ?? 0) - sign.length - prefix.length - digits.length, 0);
  if (d.minus) return sign + prefix + digits + ' '.repeat(missing);
  if (d.zero && d.precision === undefined) return sign + prefix + '0'.repeat(missing) + digits;
  return ' '.repeat(missing) + sign + prefix + digits;
}

function formatNumber(d: Directive, value: number): string | undefined {
  const plain = unsigned(d, Math.abs(value));
  if (plain === undefined) return undefined;
  const pointed = d.sharp && d.verb !== 'b' ? withPoint(plain, d.verb === 'v' ? 'g' : d.verb, d.precision) : plain;
  const negative = value < 0 || Object.is(value, -0);
  const sign = negative ? '-' : d.plus ? '+' : d.space ? ' ' : '';
  const text = 'EGX'.includes(d.verb) ? pointed.toUpperCase() : pointed;
  const zeros = d.zero && !d.minus ? Math.max((d.width ?? 0) - sign.length - text.length, 0) : 0;
  return padded({ ...d, zero: false }, sign + '0'.repeat(zeros) + text);
}

/** A float without its sign, as the verb says. */
function unsigned(d: Directive, value: number): string | undefined {
  if (d.verb === 'b') return binaryFloat(value);
  if (d.verb === 'x' || d.verb === 'X') return hexFloat(value, d.precision);
  const verb = d.verb === 'v' ? 'g' : d.verb.toLowerCase();
  if ((verb !== 'e' && verb !== 'f' && verb !== 'g') || d.verb === 'V') return undefined;
  return formatFloat(value, verb, d.precision ?? (verb === 'g' ? undefined : 6));
}

/** Go's `strconv.QuoteRune`. */
function quotedCharacter(char: string, ascii: boolean): string {
  if (char === "'") return String.raw`'\''`;
  return char === '"' ? `'"'` : `'${goQuote(char, ascii).slice(1, -1)}'`;
}

/** `U+0041`, and with `#` the character itself where it can be printed. */
function codePoint(d: Directive, value: bigint): string {
  const digits = value
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(d.precision ?? 4, 4), '0');
  const char = value <= 0x10ffffn ? String.fromCodePoint(Number(value)) : '';
  const printable = char === '\\' || char === '"' || (char !== '' && goQuote(char) === `"${char}"`);
  return `U+${digits}${d.sharp && printable ? ` '${char}'` : ''}`;
}

function character(value: bigint): string {
  const valid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value <= 0xdfffn);
  return valid ? String.fromCodePoint(Number(value)) : '\ufffd';
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function truncated(d: Directive, value: string): string {
  return d.precision === undefined ? value : Array.from(value).slice(0, d.precision).join('');
}

/** Pads to the width, counted in characters; zeros only on the left. */
function padded(d: Directive, text: string): string {
  if (d.width === undefined) return text;
  const missing = Math.max(d.width - Array.from(text).length, 0);
  if (d.minus) return text + ' '.repeat(missing);
  return (d.zero ? '0' : ' ').repeat(missing) + text;
}
