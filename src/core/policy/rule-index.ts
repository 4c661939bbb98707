import { concat } from '../kernel/bytes.ts';
import { functionNames } from './function-names.ts';
import { OPCODE } from './instruction.ts';
import { append } from './meter.ts';
import { SECTION, readLayout } from './module-layout.ts';
import type { ModuleLayout } from './module-layout.ts';
import { ModuleFault, ModuleReader, positiveSignedLeb, unsignedLeb } from './module-reader.ts';
import { indexFunction } from './rule-index-function.ts';
import type { Runtime, Test } from './rule-index-tests.ts';

/** A module that skips rules which cannot hold. */
export type IndexedModule = {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** The tests that it makes beforehand. */
  readonly tests: readonly Test[];
};

/** A function that OPA's planner made of rules. */
const PLANNED = /^g\d+\.data\./;

/**
 * Gives a policy module a rule index: `allow if { input.path == "/a"; … }` a thousand times over costs a look at `input.path` and a comparison of two
 * integers for each rule, instead of the rule's own look-ups and comparisons. Undefined where there is nothing to win, or anything is not as expected.
 *
 * How: a block of code that begins by comparing a part of a parameter with a constant does nothing else when that fails. So the hash of that part is taken
 * once a call, and the block is left at once where the hash of its constant is another: equal values have equal hashes, and where the hashes are equal the
 * block runs and compares for itself. The answer is the same whatever the hash function is. Hashes of constants are taken by the module itself, when it starts.
 * The result is an ordinary policy module of the same ABI, functions and data; it costs other steps. Meter it afterwards.
 */
export function indexModule(bytes: Uint8Array): IndexedModule | undefined {
  try {
    const layout = readLayout(bytes);
    const runtime = findRuntime(functionNames(bytes));
    if (runtime === undefined || !layout.sections.some(({ id }) => id === SECTION.start)) return undefined;
    const module = new Indexing(bytes, layout, runtime);
    return module.tests.length === 0 ? undefined : { wasm: module.write(), tests: module.tests };
  } catch (problem) {
    if (problem instanceof ModuleFault) return undefined;
    throw problem;
  }
}

/** OPA's runtime by its names; undefined where a name is missing, or given twice. */
function findRuntime(names: ReadonlyMap<number, string>): Runtime | undefined {
  const find = (name: string): number => {
    const found = [...names].filter(([, one]) => one === name);
    return found.length === 1 ? (found[0]?.[0] ?? -1) : -1;
  };
  const [get, compare] = [find('opa_value_get'), find('opa_value_compare')];
  const [hash, type] = [find('opa_value_hash'), find('opa_value_type')];
  if (get < 0 || compare < 0 || hash < 0 || type < 0) return undefined;
  return { get, compare, hash, type, number: find('opa_number_ref') };
}

class Indexing {
  readonly tests: Test[] = [];
  readonly #bytes: Uint8Array;
  readonly #layout: ModuleLayout;
  readonly #runtime: Runtime;
  /** Constants in the order of the globals that hold their hashes, which follow those of the module. */
  readonly #constants = new Map<number, number>();
  readonly #code: Uint8Array[];

  constructor(bytes: Uint8Array, layout: ModuleLayout, runtime: Runtime) {
    this.#bytes = bytes;
    this.#layout = layout;
    this.#runtime = runtime;
    this.#code = this.#indexed(functionNames(bytes));
  }

  write(): Uint8Array<ArrayBuffer> {
    const reader = new ModuleReader(this.#bytes, 8);
    const parts = [this.#bytes.subarray(0, 8)];
    while (!reader.done) {
      const id = reader.u8();
      const rewritten = this.#section(id, reader.slice(reader.u32()));
      const length = rewritten.reduce((sum, part) => sum + part.length, 0);
      parts.push(Uint8Array.of(id, ...unsignedLeb(length)), ...rewritten);
    }
    return concat(parts);
  }

  #indexed(names: ReadonlyMap<number, string>): Uint8Array[] {
    const { parameters, importedFunctions, globalCount } = this.#layout;
    const content = this.#read(SECTION.code);
    const hashGlobal = (constant: number): number => {
      const global = this.#constants.get(constant) ?? globalCount + this.#constants.size;
      this.#constants.set(constant, global);
      return global;
    };
    const context = { runtime: this.#runtime, globalCount, hashGlobal };
    return Array.from({ length: content.count() }, (_, at) => {
      const body = content.slice(content.u32());
      const original = body.bytes.subarray(body.position, body.end);
      if (!PLANNED.test(names.get(importedFunctions + at) ?? '')) return original;
      const indexed = indexFunction(body, parameters[at] ?? 0, context);
      this.tests.push(...(indexed?.tests ?? []));
      return indexed?.code ?? original;
    });
  }

  #section(id: number, content: ModuleReader): Uint8Array[] {
    switch (id) {
      case SECTION.function:
        return append(content, unsignedLeb(this.#startType()), 1);
      case SECTION.global: {
        const zero = [0x7f, 0x01, OPCODE.i32Const, 0, OPCODE.end];
        return append(
          content,
          [...this.#constants].flatMap(() => zero),
          this.#constants.size,
        );
      }
      case SECTION.start:
        return [Uint8Array.from(unsignedLeb(this.#layout.importedFunctions + this.#layout.parameters.length))];
      case SECTION.code: {
        const bodies = [...this.#code, this.#start()];
        const framed = bodies.flatMap((body) => [Uint8Array.from(unsignedLeb(body.length)), body]);
        return [Uint8Array.from(unsignedLeb(bodies.length)), ...framed];
      }
      default:
        return [content.bytes.subarray(content.position, content.end)];
    }
  }

  /** A start function that calls the module's own and then takes the hash of each constant. */
  #start(): Uint8Array {
    const hash = [OPCODE.call, ...unsignedLeb(this.#runtime.hash), OPCODE.globalSet];
    const hashes = [...this.#constants].map(([constant, global]) => {
      const address = [OPCODE.i32Const, ...positiveSignedLeb(constant)];
      return [...address, ...hash, ...unsignedLeb(global)];
    });
    return Uint8Array.from([
      0,
      OPCODE.call,
      ...unsignedLeb(this.#read(SECTION.start).u32()),
      ...hashes.flat(),
      OPCODE.end,
    ]);
  }

  #startType(): number {
    const types = this.#read(SECTION.function);
    const all = Array.from({ length: types.count() }, () => types.u32());
    const type = all[this.#read(SECTION.start).u32() - this.#layout.importedFunctions];
    if (type === undefined) throw new ModuleFault('the start function has no code');
    return type;
  }

  #read(wanted: number): ModuleReader {
    const found = this.#layout.sections.find(({ id }) => id === wanted)?.content;
    if (found === undefined) throw new ModuleFault(`section ${wanted} is missing`);
    return new ModuleReader(found.bytes, found.position, found.end);
  }
}
