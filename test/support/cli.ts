import { runProgram } from '../../src/cli/program.ts';

import type { ExitCode } from '../../src/cli/exit-codes.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

/** What a command line did. */
export interface CommandRun {
  readonly code: ExitCode;
  /** Lines, without their ends. */
  readonly out: readonly string[];
  readonly err: readonly string[];
}

/** Runs a command line in this process, without a terminal: text is plain. */
export async function sallyport(args: readonly string[], env: Record<string, string> = {}): Promise<CommandRun> {
  const out: string[] = [];
  const err: string[] = [];
  const terminal: Terminal = {
    env,
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    style: (_stream, _style, text) => text,
  };
  const code = await runProgram(args, terminal);
  return { code, out, err };
}
