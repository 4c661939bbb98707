import { EvaluationHalt } from '../abort.ts';
import { BuiltinError, MAX_TEXT } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { queryEscape } from './encoding.ts';
import { bytesOf, textOf } from './go-bytes.ts';
import { goQuote } from './go-quote.ts';
import { GO_LIST, GO_MAP } from './go-value.ts';
import type { GoList, GoValue } from './go-value.ts';
import { formatAll, printAll } from './sprintf.ts';
import { isEqual, isLess, isTrue, known, lengthOf } from './template-value.ts';
import type { TemplateValue } from './template-value.ts';

type Call = (args: readonly TemplateValue[], context: BuiltinContext) => TemplateValue;
/** `most` undefined is any number of arguments. */
type TemplateFunction = { readonly least: number; readonly most?: number; readonly call: Call };

/** Steps of reading one character of a text. */
const CHARACTER_STEPS = 40;
const NIL: GoValue = { kind: '<nil>' };
const HTML: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};
// eslint-disable-next-line no-control-regex -- Go escapes the character of code 0
const NOT_HTML = /[\0"'&<>]/g;
// eslint-disable-next-line no-control-regex -- Go escapes control characters
const NOT_JS = /[\\'"<>&=\u0000-\u001f\u0080-\u{10ffff}]/gu;

/** Calls a predefined function of text/template. `and` and `or` are the evaluation's own: they may leave arguments alone. */
export function callTemplateFunction(
  name: string,
  args: readonly TemplateValue[],
  context: BuiltinContext,
): TemplateValue {
  const found = FUNCTIONS[name];
  if (found === undefined) throw new BuiltinError(`function ${name} is not defined`);
  if (args.length < found.least || args.length > (found.most ?? args.length))
    throw new BuiltinError(`wrong number of arguments for ${name}`);
  return found.call(args, context);
}

/** True for a name that text/template knows. */
export function isTemplateFunction(name: string): boolean {
  return name === 'and' || name === 'or' || Object.hasOwn(FUNCTIONS, name);
}

function bool(value: boolean): GoValue {
  return { kind: 'bool', value };
}

function text(value: string): GoValue {
  if (value.length > MAX_TEXT) throw new EvaluationHalt('policy_memory_exceeded', 'a text in a template is too large');
  return { kind: 'string', value };
}

/** A comparison of the first two arguments, which reads the texts that they are. */
function compare(test: (left: TemplateValue, right: TemplateValue) => boolean): TemplateFunction {
  const call: Call = ([left, right], context) => {
    chargeText(left, context);
    chargeText(right, context);
    return bool(test(left, right));
  };
  return { least: 2, most: 2, call };
}

/** Equal to one of the others; none are an error. */
function equal(args: readonly TemplateValue[], context: BuiltinContext): TemplateValue {
  const [first, ...others] = args;
  return bool(
    others.some((other) => {
      chargeText(first, context);
      return isEqual(first, other);
    }),
  );
}

/** `index x 1 "a"` is `x[1]["a"]`; of a text, a byte. A key that is not there gives nil, a place that is not there an error. */
function index(args: readonly TemplateValue[], context: BuiltinContext): TemplateValue {
  const [first, ...places] = args;
  let item = known(first);
  if (item === undefined) throw new BuiltinError('index of nothing');
  for (const place of places) item = at(item, known(place), context);
  return item;
}

function at(item: GoValue, place: TemplateValue, context: BuiltinContext): GoValue {
  if (item.kind === GO_MAP && place?.kind === 'string') return item.entries.get(place.value) ?? NIL;
  if (item.kind === GO_LIST) return item.array[item.from + placeOf(place, item.to - item.from - 1)] ?? NIL;
  if (item.kind !== 'string' && item.kind !== 'json.Number')
    throw new BuiltinError(`can't index ${item.kind} with ${place?.kind ?? 'nothing'}`);
  chargeText(item, context);
  const bytes = bytesOf(item.value);
  return { kind: 'uint8', value: BigInt(bytes[placeOf(place, bytes.length - 1)] ?? 0) };
}

function placeOf(place: TemplateValue, most: number): number {
  if (place?.kind !== 'int' && place?.kind !== 'uint8') throw new BuiltinError('an index must be a whole number');
  if (place.value < 0n || place.value > BigInt(most)) throw new BuiltinError(`index out of range: ${place.value}`);
  return Number(place.value);
}

/** `slice x 1 2` is `x[1:2]`, of bytes of a text; a list can be sliced beyond its length as far as Go's array is long, `slice x 1 2 3` makes that shorter. */
function slice(args: readonly TemplateValue[], context: BuiltinContext): TemplateValue {
  const [first, ...places] = args;
  const item = known(first);
  if (item?.kind === GO_LIST) return listSlice(item, places);
  if ((item?.kind !== 'string' && item?.kind !== 'json.Number') || places.length > 2)
    throw new BuiltinError(`can't slice ${item?.kind ?? 'nothing'} so`);
  chargeText(item, context);
  const bytes = bytesOf(item.value);
  const [from, to] = bounds(places, bytes.length, bytes.length);
  return { kind: item.kind, value: textOf(bytes.subarray(from, to)) };
}

function listSlice(list: GoList, places: readonly TemplateValue[]): GoValue {
  const [from, to, most] = bounds(places, list.to - list.from, list.end - list.from);
  const end = most === undefined ? list.end : list.from + most;
  return { ...list, from: list.from + from, to: list.from + to, end };
}

function bounds(
  places: readonly TemplateValue[],
  length: number,
  capacity: number,
): [number, number, number | undefined] {
  const [from = 0, to = length, most] = places.map((place) => placeOf(known(place), capacity));
  if (places.length > 3 || from > to || to > (most ?? to)) throw new BuiltinError('invalid slice index');
  return [from, to, most];
}

/** What `html`, `js` and `urlquery` take for the text of their arguments: no value has one. */
function textOfAll(args: readonly TemplateValue[], context: BuiltinContext): string {
  return printAll(
    args.map((value) => known(value) ?? text('<no value>')),
    context,
    false,
  );
}

function escaping(escape: (value: string) => string): TemplateFunction {
  const call: Call = (args, context) => {
    const value = text(textOfAll(args, context));
    chargeText(value, context);
    return text(escape(value.kind === 'string' ? value.value : ''));
  };
  return { least: 0, call };
}

function jsEscaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (char === '\\' || char === "'" || char === '"') return `\\${char}`;
  if (code >= 0x80 && goQuote(char) === `"${char}"`) return char;
  return `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

function printf(args: readonly TemplateValue[], context: BuiltinContext): TemplateValue {
  const [format, ...operands] = args;
  if (format?.kind !== 'string') throw new BuiltinError('the format of printf must be a string');
  chargeText(format, context);
  return text(formatAll(format.value, operands.map(orNil), context));
}

function orNil(value: TemplateValue): GoValue {
  return value ?? NIL;
}

function chargeText(value: TemplateValue, context: BuiltinContext): void {
  if (value?.kind === 'string' || value?.kind === 'json.Number') context.charge(value.value.length * CHARACTER_STEPS);
}

function length([value]: readonly TemplateValue[], context: BuiltinContext): TemplateValue {
  chargeText(value, context);
  return { kind: 'int', value: BigInt(lengthOf(value)) };
}

const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  call: {
    least: 1,
    call: () => {
      throw new BuiltinError('a value is no function');
    },
  },
  eq: { least: 2, call: equal },
  ge: compare((left, right) => !isLess(left, right)),
  gt: compare((left, right) => !isLess(left, right) && !isEqual(left, right)),
  html: escaping((value) => value.replaceAll(NOT_HTML, (char) => HTML[char] ?? char)),
  index: { least: 1, call: index },
  js: escaping((value) => value.replaceAll(NOT_JS, jsEscaped)),
  le: compare((left, right) => isLess(left, right) || isEqual(left, right)),
  len: { least: 1, most: 1, call: length },
  lt: compare(isLess),
  ne: compare((left, right) => !isEqual(left, right)),
  not: { least: 1, most: 1, call: ([value]) => bool(!isTrue(value)) },
  print: { least: 0, call: (args, context) => text(printAll(args.map(orNil), context, false)) },
  printf: { least: 1, call: printf },
  println: { least: 0, call: (args, context) => text(`${printAll(args.map(orNil), context, true)}\n`) },
  slice: { least: 1, call: slice },
  urlquery: escaping(queryEscape),
};
