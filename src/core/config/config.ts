import { ok } from '../kernel/result.ts';
import { crossChecks } from './cross-checks.ts';
import { toIdentity } from './identity-settings.ts';
import { freeze, loadSettings } from './load.ts';
import { configSchema } from './schema.ts';

import type * as z from 'zod';
import type { Result } from '../kernel/result.ts';
import type { Environment } from './expansion.ts';
import type { IdentitySettings } from './identity-settings.ts';
import type { Frozen } from './load.ts';
import type { ConfigMistake } from './mistake.ts';

type Parsed = Frozen<z.output<typeof configSchema>>;

/**
 * A configuration without mistakes: deeply frozen, defaults filled in, durations in milliseconds, sizes in bytes. Paths stand as written.
 * What each key means is in the schema's descriptions (`sallyport check --schema`).
 */
export type Config = Omit<Parsed, 'identity'> & { readonly identity: IdentitySettings };

/** One listener of `Config.inbound`. */
export type Inbound = Config['inbound'][number];

/** One listener of `Config.outbound`. */
export type Outbound = Config['outbound'][number];

/**
 * Reads a configuration file's text, YAML or JSON, with `${NAME}` expanded from `env`. All mistakes are reported together, in the order
 * of the file. Pure: reads no file, follows no path. Never throws.
 */
export function loadConfig(text: string, env: Environment): Result<Config, readonly ConfigMistake[]> {
  const loaded = loadSettings(text, env, configSchema, crossChecks);
  if (!loaded.ok) return loaded;
  const { identity, ...rest } = loaded.value;
  return ok(freeze({ ...rest, identity: toIdentity(identity) }));
}
