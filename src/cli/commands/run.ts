import { runSidecar } from '../../app/sidecar.ts';
import { originName } from '../../io/sources/config-file.ts';
import { printConfigFault } from '../config-fault.ts';
import { configOrigin } from '../config-origin.ts';
import { EXIT, exitCode } from '../exit-codes.ts';

import type { ConfigOptions } from '../config-origin.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport run`. */
export async function run(options: ConfigOptions, terminal: Terminal): Promise<ExitCode> {
  const origin = configOrigin('run', options, terminal);
  if (origin === undefined) return EXIT.wrongUse;
  return exitCode(await runSidecar(origin, (fault) => printConfigFault(originName(origin), fault, terminal)));
}
