import { projectionCode, type Writer } from './projection-code.ts';
import { readsAt, type ReadNode } from './read-set.ts';

/** How values are written that are read whole, and the keys of scanned objects. */
type Notation = { readonly whole: (value: unknown) => string; readonly key: (key: string) => string };

const JSON_TEXT: Notation = { whole: (value) => JSON.stringify(value), key: (key) => JSON.stringify(key) };

/** Strings by length and characters as they are: nothing need be escaped where nobody parses, and that takes a third of the time. */
const KEY_TEXT: Notation = { whole: keyOf, key: measured };

/** One place of a document: a JSON value, or undefined where it is absent. */
type Fields = Readonly<Record<string, unknown>>;

/**
 * Makes the function that turns an input into the JSON text of what the policy reads of it. Kept for every place read: its kind (object, array, scalar)
 * and presence; a scalar that is not read becomes 0; scanned objects keep all keys; arrays are padded up to the highest index read.
 * Two inputs with the same text give the same decision.
 */
export function createProjection(reads: ReadNode): (input: unknown) => string {
  return projection(reads, JSON_TEXT);
}

/** Makes the function that turns an input into a key: two inputs have the same one only if `createProjection` gives the same text for them. */
export function createCacheKey(reads: ReadNode): (input: unknown) => string {
  return projection(reads, KEY_TEXT);
}

function projection(reads: ReadNode, notation: Notation): (input: unknown) => string {
  const write = writer(reads, notation);
  const quick = projectionCode(reads, { whole: notation.whole, of: (node) => writer(node, notation) });
  if (quick === undefined) return (input) => write(input) ?? '{}';
  return (input) => {
    const isObject = typeof input === 'object' && input !== null && !Array.isArray(input);
    return isObject ? quick(input) : (write(input) ?? '{}');
  };
}

/** The text says where each part ends: by a length, or as JSON does. */
function keyOf(value: unknown): string {
  if (typeof value === 'string') return measured(value);
  if (!Array.isArray(value)) return JSON.stringify(value);
  let text = '[';
  for (const item of value) text += `${keyOf(item ?? null)},`;
  return `${text}]`;
}

/** A character that begins no JSON value, so that no text is taken for a number and no number for a text. */
function measured(text: string): string {
  return `'${text.length}:${text}`;
}

function writer(node: ReadNode, notation: Notation): Writer {
  const { whole } = notation;
  if (node.whole) return (value) => (value === undefined ? undefined : whole(value));
  const fields = fieldsWriter(node, notation);
  const items = itemsWriter(node, notation);
  return (value) => {
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || value === null) return node.value ? whole(value) : '0';
    return Array.isArray(value) ? items(value) : fields(value as Fields);
  };
}

function fieldsWriter(node: ReadNode, notation: Notation): (value: Fields) => string {
  if (node.keys) return scannedFieldsWriter(node, notation);
  const parts = [...node.children].map(([key]) => ({
    key,
    label: `${JSON.stringify(key)}:`,
    write: writer(readsAt(node, key) ?? node, notation),
  }));
  return (value) => {
    let text = '';
    for (const { key, label, write } of parts) {
      if (!Object.hasOwn(value, key)) continue;
      const part = write(value[key]);
      if (part !== undefined) text += text === '' ? label + part : `,${label}${part}`;
    }
    return `{${text}}`;
  };
}

/** All keys are read: those with reads of their own by those, the others by what is read of every child, if anything. */
function scannedFieldsWriter(node: ReadNode, notation: Notation): (value: Fields) => string {
  const special = new Map([...node.children.keys()].map((key) => [key, writer(readsAt(node, key) ?? node, notation)]));
  const other = node.every === undefined ? placeholder : writer(node.every, notation);
  return (value) => {
    const parts: string[] = [];
    for (const key of Object.keys(value)) {
      const part = (special.get(key) ?? other)(value[key]);
      if (part !== undefined) parts.push(`${notation.key(key)}:${part}`);
    }
    return `{${parts.join(',')}}`;
  };
}

function itemsWriter(node: ReadNode, notation: Notation): (value: readonly unknown[]) => string {
  const indexed = new Map<number, Writer>();
  for (const key of node.children.keys()) {
    if (/^(?:0|[1-9]\d{0,8})$/.test(key)) indexed.set(Number(key), writer(readsAt(node, key) ?? node, notation));
  }
  const other = node.every === undefined ? placeholder : writer(node.every, notation);
  const highest = node.keys ? Infinity : Math.max(-1, ...indexed.keys()) + 1;
  return (value) => {
    const length = Math.min(value.length, highest);
    let text = '';
    for (let i = 0; i < length; i += 1) {
      // A hole or undefined inside an array is null in JSON (ECMA-262, SerializeJSONArray).
      const part = (indexed.get(i) ?? other)(value[i] ?? null) ?? 'null';
      text += i === 0 ? part : `,${part}`;
    }
    return `[${text}]`;
  };
}

/** Something whose presence and kind may be seen, and nothing else. */
function placeholder(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null) return '0';
  return Array.isArray(value) ? '[]' : '{}';
}
