import { BuiltinError } from '../builtin.ts';
import type { Term } from '../term.ts';
import { bytesOf } from './go-bytes.ts';
import { formatFloat } from './go-float.ts';
import { goJsonString } from './go-json.ts';
import { members } from './json-term.ts';
import { compareYamlKeys } from './yaml-key-order.ts';
import { resolvePlain } from './yaml-scalar.ts';

/** Keys of more bytes than this are written in the long form, `? key`. */
const LONGEST_SIMPLE_KEY = 128;
const LONGEST_READ_KEY = 1024;
/** What go-yaml's reader takes from raw JSON text, which escapes everything else: a value with other characters has no YAML. */
const UNREADABLE = /[\u007f-\u0084\u0086-\u009f\ufffe\uffff]/;
/** What YAML text cannot hold unescaped; go-yaml counts everything beyond U+FFFF here. */
const SPECIAL = /[^\t\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/u;
const BREAK = /[\r\n\u0085\u2028\u2029]/;
const ENDED = /[\n\u2028\u2029]$/;
const OLD_BOOLEAN = /^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/;
const BASE_60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;
/** Text that would be read as something else where no quotes are around it (in block context). */
const INDICATORS =
  /^(?:---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[?:-](?:[ \t\n\r\u0085\u2028\u2029]|$))|:(?:[ \t]|$)|[ \t\n\r\u0085\u2028\u2029]#/;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\u0000', String.raw`\0`],
  ['\u0007', String.raw`\a`],
  ['\b', String.raw`\b`],
  ['\t', String.raw`\t`],
  ['\n', String.raw`\n`],
  ['\v', String.raw`\v`],
  ['\f', String.raw`\f`],
  ['\r', String.raw`\r`],
  ['\u001b', String.raw`\e`],
  ['"', String.raw`\"`],
  ['\\', String.raw`\\`],
  ['\u0085', String.raw`\N`],
  ['\u2028', String.raw`\L`],
  ['\u2029', String.raw`\P`],
]);

/** Writes a value of JSON kinds as OPA's `yaml.marshal` does: go-yaml 3 with an indentation of two, given the JSON text read back as YAML. */
export function writeYaml(value: Term): string {
  const text = nodeText(value, 0, 'root');
  return ENDED.test(text) ? text : `${text}\n`;
}

/** Where a node stands: after `key:`, or where its first line may follow what is before it. */
type Place = 'root' | 'afterKey' | 'inline';

function nodeText(term: Term, indent: number, place: Place): string {
  const lead = place === 'root' ? '' : ' ';
  if (term.kind === 'array' && term.items.length > 0) return block(sequenceLines(term.items, indent), indent, place);
  if (term.kind === 'object' && term.entries.length > 0) return block(mappingLines(term, indent), indent, place);
  if (term.kind === 'array') return `${lead}[]`;
  if (term.kind === 'object') return `${lead}{}`;
  return lead + scalarText(term, place === 'root' ? 2 : indent, false);
}

/** Joins the lines of a collection; each begins at `indent`, but for a first one that follows `- ` or `? `. */
function block(lines: readonly string[], indent: number, place: Place): string {
  const margin = ' '.repeat(indent);
  const body = lines.map((line) => (ENDED.test(line) ? line : `${line}\n`)).join(margin);
  if (place === 'root') return body;
  return place === 'afterKey' ? `\n${margin}${body}` : ` ${body}`;
}

function sequenceLines(items: readonly Term[], indent: number): string[] {
  return items.map((item) => `-${nodeText(item, indent + 2, 'inline')}`);
}

function mappingLines(term: Term, indent: number): string[] {
  const entries = Array.from(members(term), ([key, value]) => ({ key: readBackKey(key), value }));
  entries.sort((a, b) => compareYamlKeys(a.key, b.key));
  return entries.map(({ key, value }) => {
    const simple = !BREAK.test(key) && bytesOf(key).length <= LONGEST_SIMPLE_KEY;
    if (simple) return `${stringText(key, indent + 2, true)}:${nodeText(value, indent + 2, 'afterKey')}`;
    const name = stringText(key, indent + 2, false);
    const end = ENDED.test(name) ? '' : '\n';
    return `? ${name}${end}${' '.repeat(indent)}:${nodeText(value, indent + 2, 'inline')}`;
  });
}

function scalarText(term: Term, indent: number, isKey: boolean): string {
  if (term.kind === 'string') return stringText(readBack(term.value), indent, isKey);
  if (term.kind === 'number') return numberText(term.text, indent);
  return term.kind === 'boolean' ? String(term.value) : 'null';
}

/** A number as YAML reads its JSON text: 64 bits whole, else a float, else text. */
function numberText(text: string, indent: number): string {
  const resolved = resolvePlain(text);
  if (resolved.kind === 'int') return String(resolved.value);
  if (resolved.kind !== 'float') return stringText(text, indent, false);
  const sign = resolved.value < 0 || Object.is(resolved.value, -0) ? '-' : '';
  return sign + formatFloat(Math.abs(resolved.value), 'g', undefined);
}

/** A string as go-yaml reads its JSON text: NEL is a line break there, and folds into a space. */
function readBack(value: string): string {
  if (UNREADABLE.test(value)) throw new BuiltinError('control characters are not allowed in YAML');
  return value.replaceAll(/ *(?:\u0085 *)+/g, (run) => {
    const breaks = run.split('\u0085').length - 1;
    return breaks === 1 ? ' ' : '\n'.repeat(breaks - 1);
  });
}

/** A key must stand on one line, and within 1,024 characters of its beginning, to be read as one. */
function readBackKey(key: string): string {
  if (key.includes('\u0085') || Array.from(goJsonString(key)).length > LONGEST_READ_KEY)
    throw new BuiltinError('a key is too long for YAML, or has a line break in it');
  return readBack(key);
}

function stringText(value: string, indent: number, isKey: boolean): string {
  const plain = resolvePlain(value).kind === 'string' && !OLD_BOOLEAN.test(value) && !BASE_60.test(value);
  const special = SPECIAL.test(value) || / [\r\n\u0085\u2028\u2029]/.test(value);
  if (value.includes('\n')) {
    return special || value.endsWith(' ') || isKey ? doubleQuoted(value) : literal(value, indent);
  }
  if (!plain) return doubleQuoted(value);
  const bare =
    !special && !value.includes('\t') && !/^ | $/.test(value) && !BREAK.test(value) && !INDICATORS.test(value);
  if (bare) return value;
  const quotable = !special && !value.includes('\t') && !/[\u2028\u2029] /.test(value) && !(isKey && BREAK.test(value));
  return quotable ? singleQuoted(value, indent) : doubleQuoted(value);
}

function singleQuoted(value: string, indent: number): string {
  const body = value
    .replaceAll("'", "''")
    .replaceAll(/([\u2028\u2029]+)(?=[^\u2028\u2029])/g, `$1${' '.repeat(indent)}`);
  return `'${body}'`;
}

function literal(value: string, indent: number): string {
  const hint = /^[ \n\u2028\u2029]/.test(value) ? '2' : '';
  const chomp = BREAK.test(value.at(-1) ?? '')
    ? value.length === 1 || BREAK.test(value.at(-2) ?? '')
      ? '+'
      : ''
    : '-';
  const margin = ' '.repeat(indent);
  const body = value.replaceAll(/(^|[\n\u2028\u2029])(?=[^\n\u2028\u2029])/g, `$1${margin}`);
  return `|${hint}${chomp}\n${body}`;
}

/** Everything is escaped behind a byte order mark at the beginning: go-yaml looks for it there, whichever character it writes. */
function doubleQuoted(value: string): string {
  const marked = value.startsWith('\ufeff');
  let body = '';
  for (const char of value) body += ESCAPES.get(char) ?? (marked || SPECIAL.test(char) ? hexEscape(char) : char);
  return `"${body}"`;
}

function hexEscape(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const digits = code.toString(16).toUpperCase();
  if (code === 0xa0) return String.raw`\_`;
  if (code <= 0xff) return `\\x${digits.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`;
}
