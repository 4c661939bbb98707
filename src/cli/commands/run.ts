import { runSidecar } from '../../app/sidecar.ts';
import { printConfigFault } from '../config-fault.ts';
import { EXIT } from '../exit-codes.ts';

import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport run`. */
export async function run(config: string, terminal: Terminal): Promise<ExitCode> {
  const code = await runSidecar(config, (fault) => printConfigFault(config, fault, terminal));
  return Object.values(EXIT).find((known) => known === code) ?? EXIT.outside;
}
