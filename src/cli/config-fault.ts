import { formatMistake } from '../core/config/mistake.ts';
import { EXIT } from './exit-codes.ts';
import { inert } from './terminal.ts';

import type { ConfigFileFault } from '../io/sources/config-file.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** Tells why a configuration file is no good: one line for each mistake, then how many there are. Gives the exit code. */
export function printConfigFault(file: string, fault: ConfigFileFault, terminal: Terminal): ExitCode {
  if (fault.kind === 'unreadable') {
    terminal.err(terminal.style('err', 'red', `sallyport: ${inert(fault.detail)}`));
    return EXIT.outside;
  }
  for (const mistake of fault.mistakes) terminal.err(inert(formatMistake(file, mistake)));
  const { length } = fault.mistakes;
  terminal.err(
    terminal.style('err', 'red', `sallyport: ${length} ${length === 1 ? 'mistake' : 'mistakes'} in ${inert(file)}`),
  );
  return EXIT.wrongUse;
}
