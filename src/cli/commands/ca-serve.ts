import { runAuthority } from '../../app/authority.ts';
import { readAuthorityConfigFile } from '../../io/sources/config-file.ts';
import { printConfigFault } from '../config-fault.ts';
import { EXIT } from '../exit-codes.ts';

import type { ExitCode } from '../exit-codes.ts';
import type { CaServeOptions } from '../define-ca-at-work.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport ca serve`. */
export async function serve(options: CaServeOptions, terminal: Terminal): Promise<ExitCode> {
  const config = await readAuthorityConfigFile(options.config, terminal.env);
  if (!config.ok) {
    printConfigFault(options.config ?? 'the defaults', config.error, terminal);
    return config.error.kind === 'mistakes' ? EXIT.wrongUse : EXIT.outside;
  }
  const code = await runAuthority(config.value);
  return code === 0 ? EXIT.done : EXIT.outside;
}
