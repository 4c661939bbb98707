import { createHash } from 'node:crypto';

import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import type { LoadProblem } from './load-problem.ts';
import { meterModule } from './meter.ts';

/** A compiled policy module with its step meter built in. */
export type PolicyModule = {
  readonly kind: 'policy-module';
  readonly module: WebAssembly.Module;
  /** The metered module as bytes, for the second opinion. */
  readonly metered: Uint8Array<ArrayBuffer>;
  /** SHA-256 of `policy.wasm` as delivered, lower-case hexadecimal. */
  readonly digest: string;
};

/** Meters and compiles `policy.wasm`; compilation proper runs beside the event loop. */
export async function compilePolicyModule(wasm: Uint8Array): Promise<Result<PolicyModule, LoadProblem>> {
  const metered = meterModule(wasm);
  if (!metered.ok) return err({ kind: 'module_invalid', detail: metered.error });
  try {
    return ok(policyModule(await WebAssembly.compile(metered.value), metered.value, wasm));
  } catch (problem) {
    return err(notCompiled(problem));
  }
}

/** The same on the spot: 1 to 5 ms. */
export function compilePolicyModuleSync(wasm: Uint8Array): Result<PolicyModule, LoadProblem> {
  const metered = meterModule(wasm);
  if (!metered.ok) return err({ kind: 'module_invalid', detail: metered.error });
  try {
    return ok(policyModule(new WebAssembly.Module(metered.value), metered.value, wasm));
  } catch (problem) {
    return err(notCompiled(problem));
  }
}

function policyModule(module: WebAssembly.Module, metered: Uint8Array<ArrayBuffer>, wasm: Uint8Array): PolicyModule {
  const digest = createHash('sha256').update(wasm).digest('hex');
  return { kind: 'policy-module', module, metered, digest };
}

function notCompiled(problem: unknown): LoadProblem {
  const detail = problem instanceof Error ? problem.message : 'it does not compile';
  return { kind: 'module_invalid', detail: detail.slice(0, 300) };
}
