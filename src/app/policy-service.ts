import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { err, ok } from '../core/kernel/result.ts';
import { LOG_ENTRYPOINTS } from '../core/model/policy.ts';
import { createPolicyService, type PolicyService } from '../io/policy-service/policy-service.ts';
import type { BuildFault, PolicyFiles, PolicyServiceConfig, PolicyServiceDeps } from '../io/policy-service/settings.ts';
import type { Diagnostic } from '../io/rego/diagnostic.ts';
import { systemTimer } from '../io/sources/timer.ts';
import { systemClock } from './system.ts';

/** The starter library beside the program, in the sources as in the built package. */
const LIBRARY = fileURLToPath(new URL('../../policies/', import.meta.url));

/**
 * Whoever writes a namespace's policy chooses how much it costs: 1 MiB of Rego took the compiler 790 MB and 50 s, 700 bytes any time at all. It has to stay within the
 * memory of the injector's container (1 GiB in the chart), and nobody's turn may be long while others wait.
 */
export const COMPILER_BOUNDS = { maxBytes: 402_653_184, deadlineMs: 30_000 } as const;

/** What the process joins to it. */
export type NamespacePolicyDeps = Pick<PolicyServiceDeps, 'log' | 'onProblem'>;

/** The policy service with the Rego compiler, which is started at the first policy, and the starter library of this package. `stop` ends the compiler too. */
export function createNamespacePolicies(config: PolicyServiceConfig, deps: NamespacePolicyDeps): PolicyService {
  const compiler = lazyCompiler();
  const service = createPolicyService(config, {
    ...deps,
    ...compiler,
    library: readLibrary,
    timer: systemTimer,
    clock: systemClock,
  });
  return {
    start: () => service.start(),
    update: (world) => service.update(world),
    settled: () => service.settled(),
    get synced() {
      return service.synced;
    },
    get held() {
      return service.held;
    },
    problems: () => service.problems(),
    revisions: () => service.revisions(),
    stop: async () => {
      await Promise.all([service.stop(), compiler.stop()]);
    },
  };
}

/** Rego of the starter library without its tests, by name. */
async function readLibrary(): Promise<PolicyFiles> {
  const names = await readdir(LIBRARY);
  const rego = names.filter((name) => name.endsWith('.rego') && !name.endsWith('_test.rego')).sort();
  return new Map(
    await Promise.all(rego.map(async (name) => [name, await readFile(join(LIBRARY, name), 'utf8')] as const)),
  );
}

async function startCompiler() {
  const [{ createRegoCompiler }, { formatDiagnostic }] = await Promise.all([
    import('../io/rego/compiler.ts'),
    import('../io/rego/format-diagnostic.ts'),
  ]);
  return { rego: createRegoCompiler({ limits: COMPILER_BOUNDS }), format: formatDiagnostic };
}

type LazyCompiler = Pick<PolicyServiceDeps, 'compile' | 'inspect'> & { stop(): Promise<void> };

function lazyCompiler(): LazyCompiler {
  let started: ReturnType<typeof startCompiler> | undefined;
  const tools = () => (started ??= startCompiler());
  return {
    compile: async (files, entrypoint) => {
      const { rego, format } = await tools();
      const request = { files: Object.fromEntries(files), entrypoints: [entrypoint] };
      const built = await rego.build({ ...request, optionalEntrypoints: LOG_ENTRYPOINTS });
      return built.ok ? built : err(faultOf(built.error, format));
    },
    inspect: async (files) => {
      const { rego, format } = await tools();
      const inspected = await rego.inspect({ files: Object.fromEntries(files) });
      return inspected.ok ? ok(inspected.value) : err(faultOf(inspected.error, format));
    },
    stop: async () => {
      if (started !== undefined) await (await started).rego.stop();
    },
  };
}

/** A compiler that failed may not fail the next time; one that found too much to do would find it again. */
const AGAIN: ReadonlySet<string> = new Set(['rego_compiler_failed', 'rego_compiler_stopped']);

function faultOf(diagnostics: readonly Diagnostic[], format: (diagnostic: Diagnostic) => string): BuildFault {
  return { problems: diagnostics.map(format), again: diagnostics.some(({ code }) => AGAIN.has(code)) };
}
