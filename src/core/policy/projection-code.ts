import type { ReadNode } from './read-set.ts';

/** Writes one part of a document as text; undefined for what is absent. */
export type Writer = (value: unknown) => string | undefined;

/** How parts are written that code is not made for. */
export type PartWriters = {
  /** A value that is read whole, or a scalar of which the value is read. */
  readonly whole: Writer;
  /** Any value at a place. */
  readonly of: (node: ReadNode) => Writer;
};

/** More places than these are left to closures: a function of thousands of lines takes longer to compile than it saves. */
const MOST_PLACES = 500;

/**
 * Makes one function of straight code that walks over an object by constant keys: an engine remembers for each of its places where a key is found, which
 * makes it ten times as fast as closures that share theirs. Undefined where a policy looks at its input in another way, or the process forbids code from
 * text (`--disallow-code-generation-from-strings`). Of the policy nothing but keys gets into the code, as JSON strings.
 */
export function projectionCode(root: ReadNode, writers: PartWriters): ((value: object) => string) | undefined {
  const code = new ProjectionCode(writers);
  if (!code.isStraight(root)) return undefined;
  const body = code.fieldsOf(root, 'input');
  if (code.places > MOST_PLACES) return undefined;
  try {
    // oxlint-disable-next-line no-new-func, no-implied-eval
    const make = new Function(
      'isArray',
      'whole',
      'parts',
      `return (input) => { let t = '', p; ${body} return t; };`,
    ) as (...args: unknown[]) => (value: object) => string;
    return make(Array.isArray, writers.whole, code.parts);
  } catch (problem) {
    if (problem instanceof EvalError) return undefined;
    throw problem;
  }
}

class ProjectionCode {
  /** Writers of parts that are no straight code, by the number that the code calls them by. */
  readonly parts: Writer[] = [];
  places = 0;
  readonly #writers: PartWriters;

  constructor(writers: PartWriters) {
    this.#writers = writers;
  }

  /** True where an object is read by constant keys only. */
  isStraight(node: ReadNode): boolean {
    return !node.whole && !node.keys && node.every === undefined && node.children.size > 0;
  }

  /** `{"a":…,"b":…}` of the object in the variable `from`. */
  fieldsOf(node: ReadNode, from: string): string {
    const comma = `c${this.places}`;
    const fields = [...node.children].map(([key, child]) => this.#field(key, child, from, comma));
    return `let ${comma} = ''; t += '{'; ${fields.join(' ')} t += '}';`;
  }

  #field(key: string, child: ReadNode, from: string, comma: string): string {
    this.places += 1;
    const value = `v${this.places}`;
    const begin = `t += ${comma} + ${JSON.stringify(`${JSON.stringify(key)}:`)}; ${comma} = ',';`;
    const part = `p = ${this.#partOf(child, value)}; if (p !== undefined) { ${begin} t += p; }`;
    const isObject = `typeof ${value} === 'object' && ${value} !== null && !isArray(${value})`;
    const inner = this.isStraight(child)
      ? `if (${isObject}) { ${begin} ${this.fieldsOf(child, value)} } else { ${part} }`
      : part;
    return `const ${value} = ${own(from, key)}; if (${value} !== undefined) { ${inner} }`;
  }

  #partOf(node: ReadNode, value: string): string {
    if (node.whole) return `whole(${value})`;
    const other = `parts[${this.parts.push(this.#writers.of(node)) - 1}](${value})`;
    return node.value ? `typeof ${value} === 'object' ? ${other} : whole(${value})` : other;
  }
}

/** An object's own property: what every object inherits is not part of a document. */
function own(from: string, key: string): string {
  const name = JSON.stringify(key);
  return key in Object.prototype
    ? `(Object.hasOwn(${from}, ${name}) ? ${from}[${name}] : undefined)`
    : `${from}[${name}]`;
}
