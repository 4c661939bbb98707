import { loadPolicy } from '@open-policy-agent/opa-wasm';

import { concat } from '../../src/core/kernel/bytes.ts';
import { BUDGET_EXPORT, STACK_EXPORT, append } from '../../src/core/policy/meter.ts';
import { SECTION, readLayout } from '../../src/core/policy/module-layout.ts';
import { unsignedLeb } from '../../src/core/policy/module-reader.ts';
import { withAndWithoutIndex } from '../support/plain-module.ts';
import { load } from '../support/policy-host.ts';
import { compileRego } from '../support/rego.ts';
import type { Contestant } from './policy-clock.ts';
import type { Subject } from './policy-subjects.ts';

import type { PolicyInput } from '../../src/core/model/policy-input.ts';
import type { PolicyModule } from '../../src/core/policy/policy-module.ts';

/** The ways in which a subject is evaluated, by name. All are given JavaScript objects and give JavaScript values. */
export type Contestants = Readonly<
  Record<'uncached' | 'cached' | 'whole' | 'unindexed' | 'unmetered' | 'sdk', Contestant>
>;

/** Compiles a subject and readies every way; which inputs are asked about in turn is said then. */
export async function contestantsOf(subject: Subject): Promise<(inputs: Subject['inputs']) => Contestants> {
  const { entrypoint, data, files } = subject;
  const { policyWasm, plan } = await compileRego({ files, entrypoints: [entrypoint] });
  const { indexed, plain } = withAndWithoutIndex(policyWasm);
  const source = { wasm: indexed, plan, data, entrypoint, bundles: {} };
  const never = { cacheEntries: 0 };
  const [fast, cached] = [load(source, never), load(source)];
  const [unindexed, free] = [
    load({ ...source, wasm: plain }, never),
    load({ ...source, wasm: unmetered(plain, policyWasm) }, never),
  ];
  const sdk = await loadPolicy(Uint8Array.from(policyWasm).buffer);
  sdk.setData(data);
  return (inputs) => {
    const next = (turn: number): PolicyInput => inputs[turn % inputs.length] as PolicyInput;
    return {
      uncached: { name: 'sallyport, uncached', run: (turn) => fast.evaluate(next(turn)) },
      cached: { name: 'sallyport, cached', run: (turn) => cached.evaluate(next(turn)) },
      whole: { name: 'sallyport, uncached, whole input', run: (turn) => fast.query(entrypoint, next(turn)) },
      unindexed: { name: 'sallyport, uncached, no rule index', run: (turn) => unindexed.evaluate(next(turn)) },
      unmetered: { name: 'sallyport, uncached, no rule index, no meter', run: (turn) => free.evaluate(next(turn)) },
      sdk: { name: '@open-policy-agent/opa-wasm', run: (turn) => sdk.evaluate(next(turn), entrypoint) },
    };
  };
}

/** The module as the compiler made it, with the exports that our host wants, so that what metering costs can be told. Never bounded. */
function unmetered(module: PolicyModule, wasm: Uint8Array): PolicyModule {
  const { sections, globalCount } = readLayout(wasm);
  const parts: Uint8Array[] = [wasm.subarray(0, 8)];
  for (const { id, content } of sections) {
    const rest = content.bytes.subarray(content.position, content.end);
    const rewritten =
      id === SECTION.global
        ? append(content, [0x7f, 0x01, 0x41, 0, 0x0b], 1)
        : id === SECTION.export
          ? append(content, [...named(BUDGET_EXPORT, globalCount), ...named(STACK_EXPORT, 0)], 2)
          : [rest];
    parts.push(Uint8Array.of(id, ...unsignedLeb(concat(rewritten).length)), ...rewritten);
  }
  return { ...module, module: new WebAssembly.Module(concat(parts)) };
}

function named(name: string, global: number): number[] {
  return [name.length, ...new TextEncoder().encode(name), 0x03, ...unsignedLeb(global)];
}
