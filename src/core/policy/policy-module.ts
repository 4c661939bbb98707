import { createHash } from 'node:crypto';

import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import type { LoadProblem } from './load-problem.ts';
import { meterModule } from './meter.ts';
import { indexModule } from './rule-index.ts';
import type { Test } from './rule-index-tests.ts';

/** A compiled policy module with its step meter built in, and a rule index where it gains by one. */
export type PolicyModule = {
  readonly kind: 'policy-module';
  readonly module: WebAssembly.Module;
  /** The metered module as bytes, without an index, for the second opinion. */
  readonly metered: Uint8Array<ArrayBuffer>;
  /** What the rule index goes by; empty where there is none, and `module` is then compiled from `metered`. */
  readonly index: readonly Test[];
  /** SHA-256 of `policy.wasm` as delivered, lower-case hexadecimal. */
  readonly digest: string;
};

/** What is compiled: with the index where there is one, and as delivered for whoever judges it. */
type Prepared = {
  readonly code: Uint8Array<ArrayBuffer>;
  readonly metered: Uint8Array<ArrayBuffer>;
  readonly index: readonly Test[];
};

/** Meters and compiles `policy.wasm`; compilation proper runs beside the event loop. */
export async function compilePolicyModule(wasm: Uint8Array): Promise<Result<PolicyModule, LoadProblem>> {
  const prepared = prepareModule(wasm);
  if (!prepared.ok) return prepared;
  try {
    return ok(policyModule(await WebAssembly.compile(prepared.value.code), prepared.value, wasm));
  } catch (problem) {
    return err(notCompiled(problem));
  }
}

/** The same on the spot: 1 to 5 ms. */
export function compilePolicyModuleSync(wasm: Uint8Array): Result<PolicyModule, LoadProblem> {
  const prepared = prepareModule(wasm);
  if (!prepared.ok) return prepared;
  try {
    return ok(policyModule(new WebAssembly.Module(prepared.value.code), prepared.value, wasm));
  } catch (problem) {
    return err(notCompiled(problem));
  }
}

/** The module is judged as delivered; an index that does not make a valid module of it is given up. */
function prepareModule(wasm: Uint8Array): Result<Prepared, LoadProblem> {
  const metered = meterModule(wasm);
  if (!metered.ok) return err({ kind: 'module_invalid', detail: metered.error });
  const indexed = indexModule(wasm);
  const code = indexed === undefined ? undefined : meterModule(indexed.wasm);
  if (indexed === undefined || code?.ok !== true) return ok({ code: metered.value, metered: metered.value, index: [] });
  return ok({ code: code.value, metered: metered.value, index: indexed.tests });
}

function policyModule(module: WebAssembly.Module, { metered, index }: Prepared, wasm: Uint8Array): PolicyModule {
  const digest = createHash('sha256').update(wasm).digest('hex');
  return { kind: 'policy-module', module, metered, index, digest };
}

function notCompiled(problem: unknown): LoadProblem {
  const detail = problem instanceof Error ? problem.message : 'it does not compile';
  return { kind: 'module_invalid', detail: detail.slice(0, 300) };
}
