import { readsAt, type ReadNode } from './read-set.ts';

/** Writes the part of a JSON document that is read, as JSON text; undefined for what is absent. */
type Writer = (value: unknown) => string | undefined;

/** One place of a document: a JSON value, or undefined where it is absent. */
type Fields = Readonly<Record<string, unknown>>;

/**
 * Makes the function that turns an input into the JSON text of what the policy reads of it. Kept for every place read: its kind (object, array, scalar)
 * and presence; a scalar that is not read becomes 0; scanned objects keep all keys; arrays are padded up to the highest index read.
 * Two inputs with the same text give the same decision, so the text is also a sound cache key.
 */
export function createProjection(reads: ReadNode): (input: unknown) => string {
  const write = writer(reads);
  return (input) => write(input) ?? '{}';
}

function writer(node: ReadNode): Writer {
  if (node.whole) return (value) => (value === undefined ? undefined : JSON.stringify(value));
  const fields = fieldsWriter(node);
  const items = itemsWriter(node);
  return (value) => {
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || value === null) return node.value ? JSON.stringify(value) : '0';
    return Array.isArray(value) ? items(value) : fields(value as Fields);
  };
}

function fieldsWriter(node: ReadNode): (value: Fields) => string {
  if (node.keys) return scannedFieldsWriter(node);
  const parts = [...node.children].map(([key]) => ({
    key,
    label: `${JSON.stringify(key)}:`,
    write: writer(readsAt(node, key) ?? node),
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
function scannedFieldsWriter(node: ReadNode): (value: Fields) => string {
  const special = new Map([...node.children.keys()].map((key) => [key, writer(readsAt(node, key) ?? node)]));
  const other = node.every === undefined ? placeholder : writer(node.every);
  return (value) => {
    const parts: string[] = [];
    for (const key of Object.keys(value)) {
      const part = (special.get(key) ?? other)(value[key]);
      if (part !== undefined) parts.push(`${JSON.stringify(key)}:${part}`);
    }
    return `{${parts.join(',')}}`;
  };
}

function itemsWriter(node: ReadNode): (value: readonly unknown[]) => string {
  const indexed = new Map<number, Writer>();
  for (const key of node.children.keys()) {
    if (/^(?:0|[1-9]\d{0,8})$/.test(key)) indexed.set(Number(key), writer(readsAt(node, key) ?? node));
  }
  const other = node.every === undefined ? placeholder : writer(node.every);
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
