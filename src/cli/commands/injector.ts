import { readInjectorConfigFile } from '../../app/injector-config-file.ts';
import { runInjector } from '../../app/injector.ts';
import { ownVersion } from '../../app/own-version.ts';
import { injectorJsonSchema } from '../../core/config/json-schema.ts';
import { injectorReference } from '../../core/config/reference.ts';
import { printConfigFault } from '../config-fault.ts';
import { EXIT } from '../exit-codes.ts';

import type { ExitCode } from '../exit-codes.ts';
import type { InjectorOptions } from '../define-injector.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport injector`; or what can stand in its configuration. */
export async function injector(options: InjectorOptions, terminal: Terminal): Promise<ExitCode> {
  if (options.schema === true) terminal.out(JSON.stringify(injectorJsonSchema(), null, 2));
  if (options.reference === true) terminal.out(injectorReference().trimEnd());
  if (options.schema === true || options.reference === true) return EXIT.done;
  if (options.config === undefined) {
    terminal.err('sallyport injector: --config FILE is needed (or --schema, or --reference)');
    return EXIT.wrongUse;
  }
  const config = await readInjectorConfigFile(options.config, terminal.env);
  if (!config.ok) {
    printConfigFault(options.config, config.error, terminal);
    return config.error.kind === 'mistakes' ? EXIT.wrongUse : EXIT.outside;
  }
  if (options.check === true) {
    terminal.out(`${options.config}: good`);
    return EXIT.done;
  }
  const code = await runInjector(config.value, ownVersion());
  return code === 0 ? EXIT.done : EXIT.outside;
}
