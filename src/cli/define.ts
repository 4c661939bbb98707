import type { Command } from 'commander';

import type { ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** What the definitions of commands are made with. */
export type Definer = {
  readonly terminal: Terminal;
  /** Makes a commander action of a handler, and keeps its exit code. */
  readonly act: <Args extends unknown[]>(
    handler: (...args: Args) => Promise<ExitCode>,
  ) => (...args: Args) => Promise<void>;
};

/** Options that every command with data to print has. */
export type Json = { readonly json?: true };

/** Adds a command with an example in its help. */
export function command(parent: Command, name: string, description: string, example: string): Command {
  return parent
    .command(name)
    .description(description)
    .addHelpText('after', `\nExample:\n  ${example.replaceAll('\n', '\n  ')}`)
    .allowExcessArguments(false)
    .helpCommand(false);
}
