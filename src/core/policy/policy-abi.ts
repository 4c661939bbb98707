import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { BUDGET_EXPORT, STACK_EXPORT } from './meter.ts';

/** Address in linear memory; 0 is Rego's undefined. */
export type Address = number;

/** Formats in which `opa_eval` dumps its answer: as JSON, where sets are arrays in no order, or as Rego text. */
export const JSON_FORMAT = 0;
export const VALUE_FORMAT = 1;

/** What this host uses of OPA's WebAssembly ABI 1.2 (OPA documentation, "Wasm"), and the two globals that metering adds. */
export type PolicyExports = {
  readonly budget: WebAssembly.Global;
  readonly stack: WebAssembly.Global;
  readonly minor: number;
  readonly entrypoints: () => Address;
  readonly builtins: () => Address;
  readonly malloc: (size: number) => Address;
  readonly heapGet: () => Address;
  readonly heapSet: (address: Address) => void;
  readonly jsonDump: (value: Address) => Address;
  readonly valueDump: (value: Address) => Address;
  readonly valueParse: (text: Address, length: number) => Address;
  readonly jsonParse: (text: Address, length: number) => Address;
  /** `opa_eval(0, entrypoint, data, input, inputLength, heap, format)`: parse, evaluate, dump. */
  readonly evaluate: (
    reserved: 0,
    entrypoint: number,
    data: Address,
    input: Address,
    inputLength: number,
    heap: Address,
    format: typeof JSON_FORMAT | typeof VALUE_FORMAT,
  ) => Address;
};

/** Checks that an instance exports the ABI, version 1.2 or later, and gives it names. */
export function readExports(instance: WebAssembly.Instance): Result<PolicyExports, string> {
  const exports = instance.exports;
  const missing: string[] = [];
  const call = (name: string): WebAssembly.ExportValue | undefined => {
    if (typeof exports[name] !== 'function') missing.push(name);
    return exports[name];
  };
  const global = (name: string): WebAssembly.Global => {
    if (!(exports[name] instanceof WebAssembly.Global)) missing.push(name);
    return exports[name] as WebAssembly.Global;
  };
  const found = {
    budget: global(BUDGET_EXPORT),
    stack: global(STACK_EXPORT),
    major: global('opa_wasm_abi_version'),
    minor: global('opa_wasm_abi_minor_version'),
    entrypoints: call('entrypoints') as PolicyExports['entrypoints'],
    builtins: call('builtins') as PolicyExports['builtins'],
    malloc: call('opa_malloc') as PolicyExports['malloc'],
    heapGet: call('opa_heap_ptr_get') as PolicyExports['heapGet'],
    heapSet: call('opa_heap_ptr_set') as PolicyExports['heapSet'],
    jsonDump: call('opa_json_dump') as PolicyExports['jsonDump'],
    valueDump: call('opa_value_dump') as PolicyExports['valueDump'],
    valueParse: call('opa_value_parse') as PolicyExports['valueParse'],
    jsonParse: call('opa_json_parse') as PolicyExports['jsonParse'],
    evaluate: call('opa_eval') as PolicyExports['evaluate'],
  };
  if (missing.length > 0) return err(`does not export ${missing.join(', ')}`);
  const major: unknown = found.major.value;
  const minor: unknown = found.minor.value;
  if (major !== 1 || typeof minor !== 'number' || minor < 2) return err(`version ${String(major)}.${String(minor)}`);
  return ok({ ...found, minor });
}
