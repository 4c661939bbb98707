import type { Build } from '../../../src/io/rego/build.ts';
import type { RegoCompiler } from '../../../src/io/rego/compiler.ts';
import type { Generated } from './policy.ts';

/** A generated policy of which everything compiles. */
export type Compiled = { readonly policy: Generated; readonly build: Build };

/** Compiles what does compile: files with errors are left out, and then those that needed them. Undefined where no rule is left. */
export async function compileSound(policy: Generated, compiler: RegoCompiler): Promise<Compiled | undefined> {
  let left = policy;
  while (left.rules.length > 0) {
    const built = await compiler.build({ files: left.files, entrypoints: left.rules.map((rule) => `p/${rule}`) });
    if (built.ok) return { policy: left, build: built.value };
    const wrong = new Set(built.error.map(({ file }) => file));
    const next = without(left, wrong);
    if (next.rules.length === left.rules.length && Object.keys(next.files).length === Object.keys(left.files).length) {
      throw new Error(`no file is at fault: ${JSON.stringify(built.error)}\n${JSON.stringify(left.files)}`);
    }
    left = next;
  }
  return undefined;
}

function without(policy: Generated, wrong: ReadonlySet<string | undefined>): Generated {
  const files = Object.fromEntries(Object.entries(policy.files).filter(([file]) => !wrong.has(file)));
  return { ...policy, files, rules: policy.rules.filter((rule) => Object.hasOwn(files, `${rule}.rego`)) };
}
