import { BuiltinError } from '../builtin.ts';
import { compareStrings, sortedEntries } from '../term-order.ts';
import type { Term } from '../term.ts';
import { bytesOf } from './go-bytes.ts';
import { goQuote } from './go-quote.ts';
import { GO_LIST, GO_MAP } from './go-value.ts';
import type { GoValue } from './go-value.ts';

/** A value while a template is rendered. Undefined is Go's "no value", which is not the same as a nil within a map or a list: that has no fields. */
export type TemplateValue = GoValue | undefined;

/** Escapes of Go's `strconv.Quote` that JSON does not know. */
const NO_JSON = /\\[avxU]/;
/** Up to here the capacity of a list that Go's JSON reads doubles; of longer ones no more than what they hold is known. */
const MAX_DOUBLED = 512;

/**
 * A value as OPA hands it to a template: its Rego text read as JSON, numbers as their text (`json.Number`). So sets, keys that are no strings, and texts
 * with characters that Go quotes otherwise than JSON (most control characters) are errors.
 */
export function templateValue(term: Term): GoValue {
  switch (term.kind) {
    case 'null':
      return { kind: '<nil>' };
    case 'boolean':
      return { kind: 'bool', value: term.value };
    case 'number':
      return { kind: 'json.Number', value: term.text };
    case 'string':
      return { kind: 'string', value: jsonText(term.value) };
    case 'array':
      return listValue(term.items.map(templateValue));
    case 'object':
      return mapValue(term.entries);
    case 'set':
      throw new BuiltinError('a set is no value of a template');
    default:
      return term satisfies never;
  }
}

function jsonText(text: string): string {
  if (NO_JSON.test(goQuote(text).replaceAll(String.raw`\\`, '')))
    throw new BuiltinError('a character that JSON does not quote so');
  return text;
}

/** Go's array behind a list is as long as the next power of two, and can be sliced back in. */
function listValue(items: readonly GoValue[]): GoValue {
  const { length } = items;
  const capacity = length === 0 || length > MAX_DOUBLED ? length : 2 ** Math.ceil(Math.log2(length));
  const spare: readonly GoValue[] = Array.from({ length: capacity - length }, () => ({ kind: '<nil>' }));
  return { kind: GO_LIST, array: [...items, ...spare], from: 0, to: length, end: capacity };
}

function mapValue(entries: readonly (readonly [Term, Term])[]): GoValue {
  const named = sortedEntries(entries).map(([key, value]) => {
    if (key.kind !== 'string') throw new BuiltinError('a key that is no string is no value of a template');
    return [jsonText(key.value), templateValue(value)] as const;
  });
  return { kind: GO_MAP, entries: new Map(named) };
}

/** A nil that came out of a map or a list is no value. */
export function known(value: TemplateValue): TemplateValue {
  return value?.kind === '<nil>' ? undefined : value;
}

/** Go's `template.IsTrue`: what is empty or zero is false. A number of the input is a text here, so true. */
export function isTrue(value: TemplateValue): boolean {
  if (value === undefined || value.kind === '<nil>') return false;
  if (value.kind === GO_MAP) return value.entries.size > 0;
  if (value.kind === GO_LIST) return value.to > value.from;
  if (value.kind === 'string' || value.kind === 'json.Number') return value.value !== '';
  return value.kind === 'bool' ? value.value : Number(value.value) !== 0;
}

/** Go's `len`: bytes of a text, elements, entries. */
export function lengthOf(value: TemplateValue): number {
  if (value?.kind === 'string' || value?.kind === 'json.Number') return bytesOf(value.value).length;
  if (value?.kind === GO_LIST) return value.to - value.from;
  if (value?.kind === GO_MAP) return value.entries.size;
  throw new BuiltinError(`len of ${value?.kind ?? 'nothing'}`);
}

/** A field of a value: of nothing there is nothing; what is no map has none, which is an error. */
export function fieldOf(value: TemplateValue, name: string): TemplateValue {
  if (value === undefined) return undefined;
  if (value.kind !== GO_MAP) throw new BuiltinError(`can't evaluate field ${name} in ${value.kind}`);
  return value.entries.get(name);
}

/** What a `range` goes over: indexes and elements in order. Indexes of whole numbers are none. */
export function* itemsOf(value: TemplateValue): Generator<readonly [TemplateValue, GoValue]> {
  if (value === undefined || value.kind === '<nil>') return;
  if (value.kind === GO_MAP) {
    for (const [key, item] of value.entries) yield [{ kind: 'string', value: key }, item];
  } else if (value.kind === GO_LIST) {
    for (let index = 0; index < value.to - value.from; index += 1)
      yield [{ kind: 'int', value: BigInt(index) }, value.array[value.from + index] ?? { kind: '<nil>' }];
  } else if (value.kind === 'int' || value.kind === 'uint8') {
    for (let index = 0n; index < value.value; index += 1n) yield [undefined, { kind: value.kind, value: index }];
  } else throw new BuiltinError(`range can't iterate over ${value.kind}`);
}

/** What can be compared with each other, by kinds. */
const BASIC: Readonly<Record<string, 'bool' | 'whole' | 'float' | 'text'>> = {
  bool: 'bool',
  int: 'whole',
  uint8: 'whole',
  float64: 'float',
  string: 'text',
  'json.Number': 'text',
};

/** Go's `eq` of two values; maps and lists can only be compared with no value. */
export function isEqual(left: TemplateValue, right: TemplateValue): boolean {
  const [a, b] = [known(left), known(right)];
  if (a === undefined || b === undefined) return a === b;
  const kind = BASIC[a.kind];
  if (kind === undefined || kind !== BASIC[b.kind] || !('value' in a) || !('value' in b))
    throw new BuiltinError(`${a.kind} and ${b.kind} cannot be compared`);
  return a.value === b.value;
}

/** Go's `lt`: numbers of a template, and texts by their bytes. */
export function isLess(left: TemplateValue, right: TemplateValue): boolean {
  const kind = BASIC[left?.kind ?? ''];
  const alike = kind !== undefined && kind !== 'bool' && kind === BASIC[right?.kind ?? ''];
  if (!alike || left === undefined || right === undefined || !('value' in left) || !('value' in right))
    throw new BuiltinError(`${left?.kind ?? 'nothing'} and ${right?.kind ?? 'nothing'} have no order`);
  return kind === 'text' ? compareStrings(String(left.value), String(right.value)) < 0 : left.value < right.value;
}
