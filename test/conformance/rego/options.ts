import { parseArgs } from 'node:util';

/** What the runner is asked to do. */
export type Options = {
  readonly suite: string | undefined;
  /** Only groups and notes that contain this. */
  readonly filter: string | undefined;
  /** Every nth case; 1 for all. */
  readonly every: number;
  /** Write the table into the documentation. */
  readonly write: boolean;
};

export const USAGE = `usage: npm run conformance:rego -- [--filter TEXT] [--every N] [--suite DIR] [--write]

Runs OPA's own test suite against this project's compiler and host.
  --filter TEXT  only cases whose group/note contains TEXT
  --every N      only every Nth case, for a quick look
  --suite DIR    OPA's v1/test/cases/testdata/v1; without it Go's module cache is searched
  --write        put the table into policies/conformance.md (all cases only)

example: npm run conformance:rego -- --filter jwt`;

/** Reads the arguments; undefined where they make no sense. */
export function readOptions(args: readonly string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        suite: { type: 'string' },
        filter: { type: 'string' },
        every: { type: 'string', default: '1' },
        write: { type: 'boolean', default: false },
      },
    });
    const every = Number(values.every);
    if (!Number.isSafeInteger(every) || every < 1) return undefined;
    if (values.write && (every > 1 || values.filter !== undefined)) return undefined;
    return { suite: values.suite, filter: values.filter, every, write: values.write };
  } catch {
    return undefined;
  }
}
