import { err, ok } from '../core/kernel/result.ts';
import { LOG_ENTRYPOINTS } from '../core/model/policy.ts';
import type { CompileRego } from '../io/sources/policy-revision.ts';

/**
 * Compiles the Rego of `policy.bundle`. The compiler is loaded at its first use only: a bundle that holds `policy.wasm` never pays for it.
 * `stop` ends its worker.
 */
export function createPolicyCompiler(decision: string): { readonly compile: CompileRego; stop(): Promise<void> } {
  let started: Promise<Compiler> | undefined;
  return {
    compile: async (files) => {
      started ??= startCompiler();
      const { compiler, format } = await started;
      const built = await compiler.build({
        files: Object.fromEntries(files),
        entrypoints: [decision],
        optionalEntrypoints: LOG_ENTRYPOINTS,
      });
      return built.ok ? ok(built.value) : err(built.error.map(format));
    },
    stop: async () => {
      if (started !== undefined) await (await started).compiler.stop();
    },
  };
}

type Compiler = Awaited<ReturnType<typeof startCompiler>>;

async function startCompiler() {
  const [{ createRegoCompiler }, { formatDiagnostic }] = await Promise.all([
    import('../io/rego/compiler.ts'),
    import('../io/rego/format-diagnostic.ts'),
  ]);
  return { compiler: createRegoCompiler(), format: formatDiagnostic };
}
