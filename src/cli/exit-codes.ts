/** What the process ends with; the same for every command. */
export const EXIT = {
  /** Done; where something was asked, the answer is yes. */
  done: 0,
  /** Done, and the answer is no: a log that does not verify, a failed test, a denied evaluation. */
  no: 1,
  /** Wrong use or bad input: unknown options, mistakes in a configuration, a policy that does not compile. */
  wrongUse: 2,
  /** Failed for a reason outside: a file that cannot be read, an address that is taken, no Node to run on. */
  outside: 3,
} as const;

/** One of the codes of the table. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What a process of `app` ended with, as a code of the table. */
export function exitCode(code: number): ExitCode {
  return Object.values(EXIT).find((known) => known === code) ?? EXIT.outside;
}
