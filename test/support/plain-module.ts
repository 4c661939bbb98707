import { compilePolicyModuleSync } from '../../src/core/policy/policy-module.ts';
import type { PolicyModule } from '../../src/core/policy/policy-module.ts';
import { describeLoadProblem } from '../../src/core/policy/load-problem.ts';

/** A policy module compiled as the program compiles it, and the same without its rule index. */
export function withAndWithoutIndex(wasm: Uint8Array): {
  readonly indexed: PolicyModule;
  readonly plain: PolicyModule;
} {
  const compiled = compilePolicyModuleSync(wasm);
  if (!compiled.ok) throw new Error(describeLoadProblem(compiled.error));
  const indexed = compiled.value;
  return { indexed, plain: { ...indexed, module: new WebAssembly.Module(indexed.metered), index: [] } };
}
