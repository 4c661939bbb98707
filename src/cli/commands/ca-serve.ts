import { runAuthority } from '../../app/authority.ts';
import { authorityJsonSchema } from '../../core/config/json-schema.ts';
import { authorityReference } from '../../core/config/reference.ts';
import { readAuthorityConfigFile } from '../../io/sources/config-file.ts';
import { printConfigFault } from '../config-fault.ts';
import { EXIT } from '../exit-codes.ts';

import type { ExitCode } from '../exit-codes.ts';
import type { CaServeOptions } from '../define-ca-at-work.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport ca serve`; or what can stand in its configuration. */
export async function serve(options: CaServeOptions, terminal: Terminal): Promise<ExitCode> {
  if (options.schema === true) terminal.out(JSON.stringify(authorityJsonSchema(), null, 2));
  if (options.reference === true) terminal.out(authorityReference().trimEnd());
  if (options.schema === true || options.reference === true) return EXIT.done;
  const config = await readAuthorityConfigFile(options.config, terminal.env);
  if (!config.ok) {
    printConfigFault(options.config ?? 'the defaults', config.error, terminal);
    return config.error.kind === 'mistakes' ? EXIT.wrongUse : EXIT.outside;
  }
  const code = await runAuthority(config.value);
  return code === 0 ? EXIT.done : EXIT.outside;
}
