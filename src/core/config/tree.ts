import { isAlias, isMap, isScalar, isSeq } from 'yaml';

import { parseBoundedYaml } from '../kernel/bounded-yaml.ts';
import { err, ok } from '../kernel/result.ts';
import { expand } from './expansion.ts';
import { formatPath } from './mistake.ts';

import type { Alias, ParsedNode, Scalar } from 'yaml';
import type { YamlText } from '../kernel/bounded-yaml.ts';
import type { Result } from '../kernel/result.ts';
import type { Environment } from './expansion.ts';
import type { ConfigMistake, ConfigPath } from './mistake.ts';

/** Where a key or list item stands, from 1, and how its value was written where it must not be shown expanded (it may be a secret). */
export type Place = { readonly line: number; readonly column: number; readonly written?: string };

/** The file as plain values, environment expanded, with the place of everything in it by its path, and what was wrong on the way. */
export type ConfigTree = {
  readonly value: unknown;
  readonly places: ReadonlyMap<string, Place>;
  readonly mistakes: readonly ConfigMistake[];
};

/** More than any configuration holds. Aliases are few because each is looked for in the whole document. */
const MAX_TEXT = 1_048_576;
const MAX_NODES = 100_000;
const MAX_ALIASES = 100;

/** Reads YAML or JSON into a tree. Fails only where the text is no document at all, with all faults of syntax. */
export function readTree(text: string, env: Environment): Result<ConfigTree, readonly ConfigMistake[]> {
  if (text.length > MAX_TEXT) return err([syntaxMistake(1, 1, `more than ${MAX_TEXT} characters`)]);
  const parsed = parseBoundedYaml(text);
  if (!parsed.ok) return err(parsed.error.map((fault) => syntaxMistake(fault.line, fault.column, fault.message)));
  const reader = new TreeReader(parsed.value, env);
  reader.mark([], 0);
  const value = reader.read(parsed.value.document.contents, []);
  return ok({ value, places: reader.places, mistakes: reader.mistakes });
}

function syntaxMistake(line: number, column: number, found: string): ConfigMistake {
  return { path: '', expected: 'well-formed YAML or JSON', found, line, column };
}

type Node = ParsedNode | null;

class TreeReader {
  readonly places = new Map<string, Place>();
  readonly mistakes: ConfigMistake[] = [];
  readonly #text: YamlText;
  readonly #env: Environment;
  #nodes = 0;
  #aliases = 0;

  constructor(text: YamlText, env: Environment) {
    this.#text = text;
    this.#env = env;
  }

  /** The value of `node`, whose place was marked before. What cannot be read is null, with a mistake. */
  read(node: Node, path: ConfigPath): unknown {
    this.#nodes += 1;
    if (this.#nodes === MAX_NODES) this.#mistake(path, `at most ${MAX_NODES} values`, 'more');
    if (node === null || this.#nodes >= MAX_NODES) return null;
    if (isAlias(node)) return this.#readAlias(node, path);
    if (isMap(node)) return this.#readMap(node.items, path);
    if (isSeq(node)) return (node.items as Node[]).map((item, index) => this.#readItem(item, [...path, index]));
    return this.#readScalar(node, path);
  }

  mark(path: ConfigPath, offset: number): void {
    this.places.set(formatPath(path), this.#text.locate(offset));
  }

  #readAlias(node: Alias, path: ConfigPath): unknown {
    this.#aliases += 1;
    const target =
      this.#aliases > MAX_ALIASES ? undefined : (node.resolve(this.#text.document) as ParsedNode | undefined);
    if (target !== undefined) return this.read(target, path);
    return this.#mistake(
      path,
      `an alias of an anchor before it, and at most ${MAX_ALIASES} aliases`,
      `*${node.source}`,
    );
  }

  #readItem(item: Node, path: ConfigPath): unknown {
    if (item !== null) this.mark(path, item.range[0]);
    return this.read(item, path);
  }

  #readMap(items: readonly MapItem[], path: ConfigPath): unknown {
    const entries: [string, unknown][] = [];
    for (const { key, value } of items) {
      if (isScalar(key) && typeof key.value === 'string' && key.value !== '__proto__') {
        const inner = [...path, key.value];
        this.mark(inner, key.range[0]);
        entries.push([key.value, this.read(value, inner)]);
      } else this.#mistake(path, 'keys that are plain text', 'a key of another kind');
    }
    return Object.fromEntries(entries);
  }

  #readScalar(node: Scalar, path: ConfigPath): unknown {
    if (typeof node.value !== 'string') return plain(node.value);
    const expanded = expand(node.value, this.#env);
    if (!expanded.ok) {
      for (const fault of expanded.error) this.#mistake(path, fault.expected, fault.found);
      return null;
    }
    const key = formatPath(path);
    const place = this.places.get(key);
    if (expanded.value !== node.value && place !== undefined) this.places.set(key, { ...place, written: node.value });
    return expanded.value;
  }

  #mistake(path: ConfigPath, expected: string, found: string): null {
    const key = formatPath(path);
    const { line, column } = this.places.get(key) ?? { line: 1, column: 1 };
    this.mistakes.push({ path: key, expected, found, line, column });
    return null;
  }
}

type MapItem = { readonly key: Node; readonly value: Node };

/** What YAML's core schema makes of a scalar, less what JSON cannot say: numbers that are not finite become text again. */
function plain(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return typeof value === 'boolean' ? value : null;
}
