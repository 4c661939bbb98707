import { BuiltinError, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { arr } from '../term.ts';
import type { Term } from '../term.ts';
import { termKey } from './term-key.ts';

/** Steps of a visit to a vertex, and for each vertex of a path that is written down. */
const VISIT_STEPS = 20_000;
const VERTEX_STEPS = 4_000;
const MAX_PATH = 2_000;

type Vertex = { readonly term: Term; readonly key: string };

/**
 * `graph.reachable_paths`: every path from a start to a vertex without edges, to the vertex before one that the graph does not have, or to the vertex
 * whose edge would close a circle. As in OPA, a start without edges is a path of its own, and one that the graph does not have is none.
 */
class PathSearch {
  readonly #edges = new Map<string, readonly Vertex[]>();
  readonly #context: BuiltinContext;
  readonly #found = new Map<string, Term>();

  constructor(graph: readonly (readonly [Term, Term])[], context: BuiltinContext) {
    this.#context = context;
    for (const [vertex, edges] of graph) this.#edges.set(termKey(vertex), vertices(edges) ?? []);
  }

  from(start: Vertex): void {
    const edges = this.#edges.get(start.key);
    if (edges?.length === 0) this.#commit([start]);
    for (const next of edges ?? []) this.#walk(next, [start], new Set([start.key]));
  }

  paths(): Term {
    return { kind: 'set', items: [...this.#found.values()] };
  }

  #walk(at: Vertex, before: readonly Vertex[], reached: ReadonlySet<string>): void {
    this.#context.charge(VISIT_STEPS + before.length * VERTEX_STEPS);
    if (before.length > MAX_PATH) throw new BuiltinError(`a path is longer than ${MAX_PATH} vertices`);
    const edges = this.#edges.get(at.key);
    if (edges === undefined) return this.#commit(before);
    const path = [...before, at];
    if (edges.length === 0) return this.#commit(path);
    const seen = new Set(reached).add(at.key);
    for (const next of edges) {
      if (seen.has(next.key)) this.#commit(path);
      else this.#walk(next, path, seen);
    }
  }

  #commit(path: readonly Vertex[]): void {
    this.#context.charge(path.length * VERTEX_STEPS);
    const key = path.map((vertex) => vertex.key).join(',');
    if (!this.#found.has(key)) this.#found.set(key, arr(path.map((vertex) => vertex.term)));
  }
}

function vertices(term: Term | undefined): Vertex[] | undefined {
  if (term?.kind !== 'array' && term?.kind !== 'set') return undefined;
  return term.items.map((item) => ({ term: item, key: termKey(item) }));
}

function reachablePaths(args: readonly Term[], context: BuiltinContext): Term {
  const [graph, initial] = args;
  if (graph?.kind !== 'object') throw wrongType(0, 'object', graph);
  const starts = vertices(initial);
  if (starts === undefined) throw wrongType(1, 'array or set', initial);
  const search = new PathSearch(graph.entries, context);
  for (const start of starts) search.from(start);
  return search.paths();
}

/** Graphs, given as an object from each vertex to the vertices it leads to. */
export const GRAPH_BUILTINS: Readonly<Record<string, Builtin>> = {
  'graph.reachable_paths': { arity: 2, call: reachablePaths },
};
