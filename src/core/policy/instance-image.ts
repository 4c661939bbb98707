import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import type { Builtin } from './builtin.ts';
import { BuiltinBridge } from './builtin-bridge.ts';
import type { BuiltinWorld } from './builtin-bridge.ts';
import { judgeThrown } from './abort.ts';
import { GuestMemory } from './guest-memory.ts';
import type { LoadProblem } from './load-problem.ts';
import { MAX_BUDGET } from './meter.ts';
import { readExports } from './policy-abi.ts';
import type { PolicyExports } from './policy-abi.ts';
import { RULE_ENTERED, RULE_LEFT } from './profile-module.ts';

/** A page of WebAssembly memory. */
export const PAGE_BYTES = 65_536;
/** Room that an evaluation needs at least, beside data and input. */
const LEAST_WORKSPACE = 1024 * 1024;
const MAX_NAMES_TEXT = 256 * 1024;

/** Bounds and surroundings of the instances of one policy revision. Sizes in bytes. */
export type InstanceOptions = BuiltinWorld & {
  readonly memoryBytes: number;
  /** Steps for one evaluation. */
  readonly budget: number;
  readonly inputBytes: number;
  readonly builtins: ReadonlyMap<string, Builtin>;
  /** Hears a profiled module (`profile-module.ts`): what happened, the number of the rule, and the steps left. */
  readonly tell?: (event: number, rule: number, left: number) => void;
};

/** A new instance that holds nothing yet. */
export type Booted = { readonly guest: GuestMemory; readonly bridge: BuiltinBridge; readonly exports: PolicyExports };

/** The state that every evaluation of one revision starts from: static data and parsed documents, as bytes. */
export type InstanceImage = {
  readonly entrypoints: ReadonlyMap<string, number>;
  readonly builtinTable: readonly ({ readonly name: string; readonly builtin: Builtin } | undefined)[];
  /** Initial stack pointer; the stack lies below, static data above. */
  readonly stack: number;
  /** End of static data, beginning of the parsed documents. */
  readonly heapBase: number;
  /** End of the parsed documents: where input goes. */
  readonly heapStart: number;
  readonly dataAddress: number;
  /** Memory from `stack` to `heapStart`. */
  readonly bytes: Uint8Array;
};

/** Instantiates the module and checks its ABI. Its start function runs within a budget of its own. */
export function boot(module: WebAssembly.Module, options: InstanceOptions): Result<Booted, LoadProblem> {
  try {
    const guest = new GuestMemory(Math.floor(options.memoryBytes / PAGE_BYTES));
    const bridge = new BuiltinBridge(guest, options);
    const exports = readExports(new WebAssembly.Instance(module, importsOf(bridge, options.tell)));
    if (!exports.ok) return err({ kind: 'abi_unsupported', detail: exports.error });
    return ok({ guest, bridge, exports: exports.value });
  } catch (thrown) {
    return err({ kind: 'module_invalid', detail: judgeThrown(thrown, 0).fault.detail });
  }
}

function importsOf(bridge: BuiltinBridge, tell: InstanceOptions['tell']): WebAssembly.Imports {
  const { env = {}, ...rest } = bridge.imports;
  if (tell === undefined) return { ...rest, env };
  const ask = env['opa_builtin0'] as (id: number, context: number) => number;
  const hear = (id: number, context: number): number => {
    if (id !== RULE_ENTERED && id !== RULE_LEFT) return ask(id, context);
    tell(id, context, bridge.left);
    return 0;
  };
  return { ...rest, env: { ...env, opa_builtin0: hear } };
}

/** Reads the names that the module declares, refuses built-ins that are not there, parses the data and takes the image. */
export function prepare(
  booted: Booted,
  dataText: string,
  options: InstanceOptions,
): Result<InstanceImage, LoadProblem> {
  const { exports } = booted;
  try {
    const stack = Number(exports.stack.value);
    exports.budget.value = MAX_BUDGET;
    const heapBase = exports.heapGet();
    if (stack <= 0 || heapBase < stack)
      return err({ kind: 'abi_unsupported', detail: 'its memory is not laid out as OPA does' });
    const entrypoints = readNames(booted, exports.entrypoints());
    const builtins = readNames(booted, exports.builtins());
    if (entrypoints === undefined || builtins === undefined)
      return err({ kind: 'abi_unsupported', detail: 'its names are unreadable' });
    const missing = [...builtins.keys()].filter((name) => !options.builtins.has(name));
    if (missing.length > 0) return err({ kind: 'builtins_missing', names: missing.sort() });
    exports.heapSet(heapBase);
    const parsed = parseData(booted, dataText, heapBase, options);
    if (!parsed.ok) return parsed;
    const bytes = booted.guest.bytes.slice(stack, parsed.value.heapStart);
    return ok({ entrypoints, builtinTable: tableOf(builtins, options), stack, heapBase, bytes, ...parsed.value });
  } catch (thrown) {
    const { fault } = judgeThrown(thrown, Number(exports.budget.value));
    if (fault.code === 'policy_memory_exceeded') return err({ kind: 'memory_exceeded', detail: fault.detail });
    return err({ kind: 'data_invalid', detail: fault.detail });
  }
}

/** Gives a fresh instance of the same module the state of an image. */
export function install(booted: Booted, image: InstanceImage): void {
  booted.guest.bytes.set(image.bytes, image.stack);
  booted.bridge.attach(booted.exports, image.builtinTable);
}

function parseData(
  { guest, exports }: Booted,
  text: string,
  heapBase: number,
  options: InstanceOptions,
): Result<{ dataAddress: number; heapStart: number }, LoadProblem> {
  const length = guest.write(text, heapBase, Math.min(text.length * 3, guest.bytes.length - heapBase));
  if (length === undefined) return err({ kind: 'memory_exceeded', detail: `${text.length} characters of data` });
  exports.heapSet(heapBase + length);
  const dataAddress = exports.jsonParse(heapBase, length);
  if (dataAddress === 0) return err({ kind: 'data_invalid', detail: 'it cannot be parsed' });
  const heapStart = exports.heapGet();
  const left = guest.bytes.length - heapStart - options.inputBytes;
  if (heapStart < heapBase + length) return err({ kind: 'abi_unsupported', detail: 'its heap does not grow' });
  if (left < LEAST_WORKSPACE) {
    const detail = `data takes ${heapStart} of ${guest.bytes.length} bytes of memory`;
    return err({ kind: 'memory_exceeded', detail });
  }
  return ok({ dataAddress, heapStart });
}

/** The JSON object `{name: id}` at an address. */
function readNames({ guest, exports }: Booted, value: number): Map<string, number> | undefined {
  const text = guest.text(exports.jsonDump(value), MAX_NAMES_TEXT);
  if (text === undefined) return undefined;
  const names: unknown = JSON.parse(text);
  if (typeof names !== 'object' || names === null) return undefined;
  const entries = Object.entries(names);
  if (!entries.every((entry): entry is [string, number] => Number.isSafeInteger(entry[1]))) return undefined;
  return new Map(entries);
}

function tableOf(names: ReadonlyMap<string, number>, options: InstanceOptions): InstanceImage['builtinTable'] {
  const table: ({ name: string; builtin: Builtin } | undefined)[] = [];
  for (const [name, id] of names) {
    const builtin = options.builtins.get(name);
    if (builtin !== undefined && id >= 0 && id < 65_536) table[id] = { name, builtin };
  }
  return table;
}
