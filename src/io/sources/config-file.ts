import { dirname, resolve } from 'node:path';

import { loadConfig } from '../../core/config/config.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { readBounded } from './read-file.ts';

import type { Config } from '../../core/config/config.ts';
import type { Environment } from '../../core/config/expansion.ts';
import type { ConfigMistake } from '../../core/config/mistake.ts';
import type { Result } from '../../core/kernel/result.ts';

/** Why a configuration file gives no configuration: it cannot be read, or what stands in it is wrong. */
export type ConfigFileFault =
  | { readonly kind: 'unreadable'; readonly detail: string }
  | { readonly kind: 'mistakes'; readonly mistakes: readonly ConfigMistake[] };

const MAX_BYTES = 1_048_576;

/** Reads a configuration file. Relative paths in the result are absolute, counted from the folder of the file. */
export async function readConfigFile(path: string, env: Environment): Promise<Result<Config, ConfigFileFault>> {
  const file = await readBounded(path, MAX_BYTES);
  if (!file.ok) return err({ kind: 'unreadable', detail: file.error });
  const config = loadConfig(new TextDecoder().decode(file.value.bytes), env);
  if (!config.ok) return err({ kind: 'mistakes', mistakes: config.error });
  return ok(withAbsolutePaths(config.value, dirname(resolve(path))));
}

/** The configuration with every path of a file or folder counted from `folder`. Sockets are absolute already. */
export function withAbsolutePaths(config: Config, folder: string): Config {
  const absolute = (path: string): string => resolve(folder, path);
  const { identity, policy } = config;
  const { bundle, protoDescriptors } = policy;
  return Object.freeze({
    ...config,
    identity: Object.freeze({
      ...identity,
      certificate: absolute(identity.certificate),
      privateKey: absolute(identity.privateKey),
      trustBundles: Object.freeze(mapValues(identity.trustBundles, absolute)),
      revocationLists: Object.freeze(identity.revocationLists.map(absolute)),
    }),
    policy: Object.freeze({
      ...policy,
      bundle: bundle.kind === 'path' ? Object.freeze({ ...bundle, path: absolute(bundle.path) }) : bundle,
      ...(protoDescriptors === undefined ? {} : { protoDescriptors: absolute(protoDescriptors) }),
    }),
    journal: Object.freeze(
      config.journal.map((target) =>
        target.kind === 'file' ? Object.freeze({ ...target, path: absolute(target.path) }) : target,
      ),
    ),
  });
}

function mapValues(map: Readonly<Record<string, string>>, change: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}
