import { loadPolicy } from '../../../src/core/policy/host.ts';
import type { RegoCompiler } from '../../../src/io/rego/compiler.ts';
import { STILL_WORLD } from '../../support/policy-host.ts';
import { CALLS } from './calls.ts';
import type { Call } from './calls.ts';

/** The calls that a module has or gets from our host. Throws where OPA does not know one as it stands in the table. */
export async function usableCalls(compiler: RegoCompiler): Promise<readonly Call[]> {
  const usable: Call[] = [];
  for (const call of CALLS) {
    const text = `package p\n\nr := ${call.name}(${call.takes.map(() => 'input.a').join(', ')})\n`;
    const built = await compiler.build({ files: { 'r.rego': text }, entrypoints: ['p/r'] });
    if (!built.ok) throw new Error(`${call.name}: ${JSON.stringify(built.error)}`);
    const source = { wasm: built.value.policyWasm, data: {}, entrypoint: 'p/r', bundles: {} };
    if (loadPolicy(source, STILL_WORLD).ok) usable.push(call);
  }
  return usable;
}
