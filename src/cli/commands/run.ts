import { runSidecar } from '../../app/sidecar.ts';
import { printConfigFault } from '../config-fault.ts';
import { exitCode } from '../exit-codes.ts';

import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport run`. */
export async function run(config: string, terminal: Terminal): Promise<ExitCode> {
  return exitCode(await runSidecar(config, (fault) => printConfigFault(config, fault, terminal)));
}
