import { parseArgs } from 'node:util';

/** How long to look, from where, and how much to say. */
export type Options = { readonly minutes: number; readonly seed: number; readonly shrink: boolean };

export const USAGE = `usage: npm run fuzz:rego -- [--minutes N] [--seed N] [--no-shrink]

Puts generated policies and inputs to OPA's interpreter, to this project's host and to OPA's SDK, and shows where they part.
  --minutes N   how long, 1 unless said; may be a fraction
  --seed N      where to begin; random unless said, and printed
  --no-shrink   show differences as they are found, which is faster

example: npm run fuzz:rego -- --minutes 10`;

/** Reads the arguments; undefined where they make no sense. */
export function readOptions(args: readonly string[], random: () => number): Options | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      allowNegative: true,
      options: {
        minutes: { type: 'string', default: '1' },
        seed: { type: 'string' },
        shrink: { type: 'boolean', default: true },
      },
    });
    const minutes = Number(values.minutes);
    const seed = Number(values.seed ?? random());
    if (!(minutes > 0) || !Number.isSafeInteger(seed)) return undefined;
    return { minutes, seed, shrink: values.shrink };
  } catch {
    return undefined;
  }
}
