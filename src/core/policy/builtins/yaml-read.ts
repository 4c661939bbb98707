import { Composer, Parser, isAlias, isMap, isNode, isScalar, isSeq } from 'yaml';

import { tooDeep } from '../../kernel/bounded-yaml.ts';
import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { NULL, arr } from '../term.ts';
import type { Term } from '../term.ts';
import { formatFloat } from './go-float.ts';
import { record } from './json-term.ts';
import { resolvePlain, scalarTerm } from './yaml-scalar.ts';
import type { Resolved } from './yaml-scalar.ts';

import type { Alias, CST, Pair, Scalar, YAMLMap } from 'yaml';

/** Deepest nesting that is read; OPA reads 10,000 levels. The library's composer recurses. */
const MAX_DEPTH = 100;
/** Steps for each character of the text (the library takes 1 to 2 us for one), and for each node that is made of it, those behind aliases included. */
const CHARACTER_STEPS = 40_000;
const NODE_STEPS = 8_000;
const UNREADABLE = /[\u0000-\u0008\v\f\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]/;
const CORE_TAG = /^tag:yaml\.org,2002:/;

/** Reads YAML as OPA does: the first document of the stream, with the others checked for syntax only; of equal keys the last wins. */
export function readYaml(text: string, context: BuiltinContext): Term {
  context.charge(text.length * CHARACTER_STEPS);
  if (UNREADABLE.test(text) || !text.isWellFormed()) throw new BuiltinError('yaml: control characters are not allowed');
  const tokens = [...new Parser().parse(text)];
  if (tooDeep(tokens, MAX_DEPTH) !== undefined) throw new BuiltinError(`yaml: nested deeper than ${MAX_DEPTH} levels`);
  if (endsFirst(tokens)) throw new BuiltinError('yaml: a document ends before it begins');
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false, prettyErrors: false, logLevel: 'silent' });
  const documents = [...composer.compose(tokens, true, text.length)];
  const error = documents.flatMap((document) => document.errors)[0];
  if (error !== undefined) throw new BuiltinError(`yaml: ${error.message}`);
  const [first] = documents;
  return first === undefined ? NULL : new Decoder(first.contents, context).value(first.contents);
}

/** True where the stream begins with `...`, which go-yaml refuses. */
function endsFirst(tokens: readonly CST.Token[]): boolean {
  const [first, second] = tokens.filter(({ type }) => type === 'document' || type === 'doc-end');
  const isEmpty =
    first?.type === 'document' && first.value === undefined && !first.start.some(({ type }) => type === 'doc-start');
  return isEmpty && second?.type === 'doc-end';
}

/** What of aliases may come of a document before it is taken for a bomb (go-yaml decode.go, allowedAliasRatio). */
const ALIAS_RATIO = 0.99;

class Decoder {
  readonly #context: BuiltinContext;
  readonly #targets = new Map<Alias, unknown>();
  readonly #open = new Set<Alias>();
  #decoded = 0;
  #fromAliases = 0;

  constructor(root: unknown, context: BuiltinContext) {
    this.#context = context;
    this.#link(root, new Map());
  }

  /** Finds what each alias means: the last node before it with that anchor, which may be one that it stands in. */
  #link(node: unknown, anchors: Map<string, unknown>): void {
    if (isAlias(node)) this.#targets.set(node, anchors.get(node.source));
    if (isNode(node) && !isAlias(node) && node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isSeq(node)) for (const item of node.items) this.#link(item, anchors);
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      this.#link(key, anchors);
      this.#link(value, anchors);
    }
  }

  value(node: unknown): Term {
    this.#count();
    if (isAlias(node)) return this.#through(node, (target) => this.value(target));
    if (isScalar(node)) return scalarTerm(resolvedScalar(node), node.source ?? '');
    if (isSeq(node)) return arr(node.items.map((item) => this.value(item)));
    if (isMap(node)) return record(this.#mapping(node));
    return NULL;
  }

  #count(): void {
    this.#context.charge(NODE_STEPS);
    this.#decoded += 1;
    if (this.#open.size > 0) this.#fromAliases += 1;
    if (this.#fromAliases > 100 && this.#decoded > 1000 && this.#fromAliases / this.#decoded > ALIAS_RATIO)
      throw new BuiltinError('yaml: document contains excessive aliasing');
  }

  #through<T>(alias: Alias, use: (target: unknown) => T): T {
    if (this.#open.has(alias)) throw new BuiltinError(`yaml: anchor '${alias.source}' value contains itself`);
    const target = this.#targets.get(alias);
    if (target === undefined) throw new BuiltinError(`yaml: unknown anchor '${alias.source}' referenced`);
    this.#open.add(alias);
    const result = use(target);
    this.#open.delete(alias);
    return result;
  }

  /** Its own keys first, then those that merge keys bring, each where it is not there yet (decode.go, merge). */
  #mapping(map: YAMLMap): Map<string, Term> {
    const own = new Map<string, unknown>();
    for (const { key, value } of map.items) if (!isMergeKey(key)) own.set(this.#key(key), value);
    const fields = new Map(Array.from(own, ([name, value]) => [name, this.value(value)] as const));
    for (const merge of mergesOf(map)) this.#merge(merge, fields);
    return fields;
  }

  #merge(node: unknown, fields: Map<string, Term>): void {
    this.#count();
    if (isAlias(node)) return this.#through(node, (target) => this.#merge(target, fields));
    if (!isMap(node)) throw new BuiltinError('yaml: map merge requires map or sequence of maps as the value');
    for (const [name, value] of this.#mapping(node)) if (!fields.has(name)) fields.set(name, value);
  }

  #key(node: unknown): string {
    this.#count();
    if (isAlias(node)) return this.#through(node, (target) => this.#key(target));
    if (isScalar(node)) return keyText(resolvedScalar(node), node.source ?? '');
    throw new BuiltinError('yaml: invalid map key');
  }
}

/** A tag of the core schema must fit the text (resolve.go); any other is ignored, and the scalar is text. */
function resolvedScalar(node: Scalar): Resolved {
  const source = node.source ?? '';
  const tag = node.tag === '!' ? undefined : node.tag;
  if (tag === undefined && node.type !== 'PLAIN' && node.type !== undefined) return { kind: 'string', value: source };
  if (tag === undefined) return resolvePlain(source);
  switch (tag.replace(CORE_TAG, '!!')) {
    case '!!null':
    case '!!bool':
    case '!!int':
    case '!!float':
      return asTagged(resolvePlain(source), tag.replace(CORE_TAG, ''));
    case '!!timestamp':
    case '!!binary':
      throw new BuiltinError(`yaml: this tag is not supported: ${tag}`);
    default:
      return { kind: 'string', value: source };
  }
}

function asTagged(resolved: Resolved, kind: string): Resolved {
  if (resolved.kind === kind) return resolved;
  if (kind === 'float' && resolved.kind === 'int') return { kind: 'float', value: Number(resolved.value) };
  throw new BuiltinError(`yaml: cannot decode a ${resolved.kind} as a ${kind}`);
}

/** The text that a key of another type becomes; OPA writes floats with the digits that 32 bits need. */
function keyText(resolved: Resolved, source: string): string {
  switch (resolved.kind) {
    case 'bool':
    case 'int':
      return String(resolved.value);
    case 'float':
      return floatKey(Math.fround(resolved.value));
    case 'null':
      throw new BuiltinError('yaml: unsupported map key of type: null');
    case 'string':
    case 'timestamp':
    case 'merge':
      return source;
    default:
      return resolved satisfies never;
  }
}

function floatKey(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (!Number.isFinite(value)) return `${sign}.inf`;
  let digits = 1;
  while (digits < 9 && Math.fround(Number(value.toPrecision(digits))) !== value) digits += 1;
  return sign + formatFloat(Math.abs(Number(value.toPrecision(digits))), 'g', undefined);
}

function isMergeKey(key: unknown): boolean {
  return (
    isScalar(key) && key.source === '<<' && (key.type === 'PLAIN' || key.type === undefined) && key.tag === undefined
  );
}

/** What merge keys bring: each a mapping, an alias of one, or a list of them. */
function mergesOf(map: YAMLMap): unknown[] {
  return map.items
    .filter((pair: Pair) => isMergeKey(pair.key))
    .flatMap(({ value }: Pair) => (isSeq(value) ? value.items : [value]));
}
