import { err, ok } from '../kernel/result.ts';

import type { Result } from '../kernel/result.ts';

/** The environment as handed in by the caller: core reads none. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Why a value could not be expanded: what would have been right, and what stands there. */
export type ExpansionFault = { readonly expected: string; readonly found: string };

/**
 * Replaces each `${NAME}` by the value of that environment variable; `$${` stands for a plain `${`. A variable that is not set and a
 * `${` that begins no such reference are faults; an empty variable is a value. What a variable holds is not expanded again.
 */
export function expand(text: string, env: Environment): Result<string, readonly ExpansionFault[]> {
  const faults: ExpansionFault[] = [];
  const expanded = text.replace(/(\$?)\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\}|)/g, (whole, escape: string, name: string) => {
    if (escape !== '') return whole.slice(1);
    if (name === undefined) {
      faults.push({ expected: 'a reference such as ${NAME}, or $${ for a plain ${', found: whole });
      return whole;
    }
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined) faults.push({ expected: `the environment variable ${name} to be set`, found: whole });
    return value ?? whole;
  });
  return faults.length > 0 ? err(faults) : ok(expanded);
}
