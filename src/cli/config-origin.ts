import type { ConfigOrigin } from '../io/sources/config-file.ts';
import type { Terminal } from './terminal.ts';

/** `--config FILE` and `--config-env NAME`: exactly one of them says where the configuration stands. */
export type ConfigOptions = { readonly config?: string; readonly configEnv?: string };

/** POSIX 8.1: what a portable name of an environment variable looks like. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Where the configuration stands; undefined where the options do not say it, which has then been told. `others`: what may be given instead. */
export function configOrigin(
  command: string,
  { config, configEnv }: ConfigOptions,
  terminal: Terminal,
  others = '',
): ConfigOrigin | undefined {
  if (config !== undefined && configEnv !== undefined) {
    terminal.err(`sallyport ${command}: either --config FILE or --config-env NAME, not both`);
    return undefined;
  }
  if (config !== undefined) return { kind: 'file', path: config };
  if (configEnv === undefined) {
    terminal.err(`sallyport ${command}: --config FILE or --config-env NAME is needed${others}`);
    return undefined;
  }
  if (NAME.test(configEnv)) return { kind: 'environment', name: configEnv };
  terminal.err(`sallyport ${command}: --config-env takes the name of an environment variable, not its value`);
  return undefined;
}
