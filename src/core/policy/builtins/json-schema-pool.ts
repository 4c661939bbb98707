import { BuiltinError } from '../builtin.ts';
import { str } from '../term.ts';
import type { Term } from '../term.ts';
import { parseUrl, urlText } from './go-url.ts';
import { SchemaError } from './json-schema-error.ts';
import { members, record } from './json-term.ts';
import { resolveUri, splitFragment } from './uri-reference.ts';

/** Keywords whose members are no schemas, or schemas under names. */
const NAMED: ReadonlySet<string> = new Set(['properties', 'dependencies', 'patternProperties']);
const DATA: ReadonlySet<string> = new Set(['const', 'enum']);

/** The schemas of one document by their address: the whole under its `$id` and under none, each part that has an `$id` of its own. Nothing is fetched. */
export class SchemaPool {
  readonly #documents = new Map<string, Term>();
  readonly root: Term;

  constructor(document: Term) {
    this.root = this.#absolute(document, '');
    this.#documents.set('', this.root);
  }

  /** The schema that an absolute reference means: a part with that address, or a JSON pointer into one. */
  get(reference: string): Term {
    const whole = this.#documents.get(reference);
    if (whole !== undefined) return whole;
    const { base, fragment } = splitFragment(reference);
    const document = this.#documents.get(base);
    if (document !== undefined) return pointed(document, fragment);
    if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]/.test(reference))
      throw new SchemaError(`remote reference loading disabled: ${reference}`);
    throw new SchemaError(`Reference ${reference} must be canonical`);
  }

  /** The same schema with every `$ref` made absolute; notes each part with an `$id`. */
  #absolute(node: Term, base: string): Term {
    if (node.kind === 'array') return { kind: 'array', items: node.items.map((item) => this.#absolute(item, base)) };
    if (node.kind !== 'object') return node;
    const fields = new Map(members(node));
    const own = fields.get('id') ?? fields.get('$id');
    const local = own?.kind === 'string' ? (resolved(base, own.value) ?? base) : base;
    const reference = fields.get('$ref');
    const target = reference?.kind === 'string' ? resolved(local, reference.value) : undefined;
    if (target !== undefined) fields.set('$ref', str(target));
    for (const [key, value] of fields) if (!DATA.has(key)) fields.set(key, this.#below(key, value, local));
    const result = record(fields);
    if (own?.kind === 'string' && resolved(base, own.value) !== undefined) this.#add(local, result);
    return result;
  }

  #below(key: string, value: Term, base: string): Term {
    if (!NAMED.has(key)) return this.#absolute(value, base);
    if (value.kind !== 'object') return value;
    return record(Array.from(members(value), ([name, one]) => [name, this.#absolute(one, base)] as const));
  }

  #add(address: string, node: Term): void {
    if (this.#documents.has(address)) throw new SchemaError(`Reference already exists: "${address}"`);
    this.#documents.set(address, node);
  }
}

/** A reference in its normal form; undefined where it is no URL. */
function resolved(base: string, reference: string): string | undefined {
  try {
    return resolveUri(base, urlText(parseUrl(reference)));
  } catch (problem) {
    if (problem instanceof BuiltinError) return undefined;
    throw problem;
  }
}

/** What a JSON pointer in a fragment points to (RFC 6901 6). A fragment that is no pointer means the whole. */
function pointed(document: Term, fragment: string): Term {
  let node = document;
  for (const token of fragment.startsWith('/') ? fragment.slice(1).split('/') : []) node = step(node, token);
  return node;
}

function step(node: Term, token: string): Term {
  if (node.kind === 'object') {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    const found = members(node).get(name);
    if (found === undefined) throw new SchemaError(`Object has no key '${name}'`);
    return found;
  }
  if (node.kind !== 'array') throw new SchemaError(`Invalid token reference '${token}'`);
  if (!/^[+-]?[0-9]{1,18}$/.test(token)) throw new SchemaError(`Invalid array index '${token}'`);
  const item = node.items[Number(token)];
  if (item === undefined) throw new SchemaError(`Out of bound array[0,${node.items.length}] index '${Number(token)}'`);
  return item;
}
