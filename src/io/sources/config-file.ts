import { dirname, resolve } from 'node:path';

import { loadAuthorityConfig } from '../../core/config/authority-config.ts';
import { loadConfig } from '../../core/config/config.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { readBounded } from './read-file.ts';

import type { AuthorityConfig } from '../../core/config/authority-config.ts';
import type { Config } from '../../core/config/config.ts';
import type { Environment } from '../../core/config/expansion.ts';
import type { ConfigMistake } from '../../core/config/mistake.ts';
import type { Result } from '../../core/kernel/result.ts';

/** Where the text of a configuration stands: in a file, or in the value of an environment variable (a pod's, whose file system is read-only). */
export type ConfigOrigin =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'environment'; readonly name: string };

/** Why a configuration file gives no configuration: it cannot be read, or what stands in it is wrong. */
export type ConfigFileFault =
  | { readonly kind: 'unreadable'; readonly detail: string }
  | { readonly kind: 'mistakes'; readonly mistakes: readonly ConfigMistake[] };

const MAX_BYTES = 1_048_576;

/** The name of an origin in messages: a path, or `$NAME`. */
export function originName(origin: ConfigOrigin): string {
  return origin.kind === 'file' ? origin.path : `$${origin.name}`;
}

/** Reads a configuration wherever it stands. What a variable holds is shown as sparingly as a file: where it is wrong, and only that part. */
export async function readConfig(origin: ConfigOrigin, env: Environment): Promise<Result<Config, ConfigFileFault>> {
  if (origin.kind === 'file') return readConfigFile(origin.path, env);
  const text = Object.hasOwn(env, origin.name) ? env[origin.name] : undefined;
  const unreadable = (why: string): Result<Config, ConfigFileFault> =>
    err({ kind: 'unreadable', detail: `${originName(origin)}: ${why}` });
  if (text === undefined) return unreadable('there is no such environment variable; set it, or use --config FILE');
  if (text.trim() === '') return unreadable('the environment variable is empty; it has to hold a configuration');
  if (Buffer.byteLength(text) > MAX_BYTES) return unreadable(`it is longer than ${MAX_BYTES} bytes`);
  const config = loadConfig(text, env);
  if (!config.ok) return err({ kind: 'mistakes', mistakes: config.error });
  return ok(withAbsolutePaths(config.value, resolve('.')));
}

/** Reads a configuration file. Relative paths in the result are absolute, counted from the folder of the file. */
export async function readConfigFile(path: string, env: Environment): Promise<Result<Config, ConfigFileFault>> {
  const file = await readBounded(path, MAX_BYTES);
  if (!file.ok) return err({ kind: 'unreadable', detail: file.error });
  const config = loadConfig(new TextDecoder().decode(file.value.bytes), env);
  if (!config.ok) return err({ kind: 'mistakes', mistakes: config.error });
  return ok(withAbsolutePaths(config.value, dirname(resolve(path))));
}

/** Reads the configuration file of an authority; without a path everything has its default, and paths count from where the process stands. */
export async function readAuthorityConfigFile(
  path: string | undefined,
  env: Environment,
): Promise<Result<AuthorityConfig, ConfigFileFault>> {
  const file = path === undefined ? undefined : await readBounded(path, MAX_BYTES);
  if (file?.ok === false) return err({ kind: 'unreadable', detail: file.error });
  const text = file === undefined ? '' : new TextDecoder().decode(file.value.bytes);
  const config = loadAuthorityConfig(text, env);
  if (!config.ok) return err({ kind: 'mistakes', mistakes: config.error });
  const folder = path === undefined ? '.' : dirname(resolve(path));
  const absolute = (relative: string): string => resolve(folder, relative);
  const { kubernetes, workloadApi } = config.value;
  return ok(
    Object.freeze({
      ...absoluteAt(config.value, ['dir', 'privateKey', 'passphrase'], absolute),
      ...(kubernetes && { kubernetes: absoluteAt(kubernetes, ['trustBundle', 'token'], absolute) }),
      ...(workloadApi && { workloadApi: absoluteAt(workloadApi, ['socket'], absolute) }),
    }),
  );
}

/** The configuration with every path of a file or folder counted from `folder`. Sockets are absolute already. */
export function withAbsolutePaths(config: Config, folder: string): Config {
  const absolute = (path: string): string => resolve(folder, path);
  const { identity, journal, status } = config;
  return Object.freeze({
    ...config,
    identity: absoluteIdentity(identity, absolute),
    outbound: Object.freeze(config.outbound.map((one) => absoluteAt(one, ['token'], absolute))),
    policy: absolutePolicy(config.policy, absolute),
    journal: Object.freeze(journal.map((target) => absoluteTarget(target, absolute))),
    ...(status === undefined ? {} : { status: absoluteAt(status, ACCESS_PATHS, absolute) }),
  });
}

type Absolute = (path: string) => string;

/** The files that say how a server is reached (`ServerAccess`). */
const ACCESS_PATHS = ['tokenFile', 'trustBundle', 'certificate', 'privateKey'] as const;

function absoluteIdentity(identity: Config['identity'], absolute: Absolute): Config['identity'] {
  const trust = {
    trustBundles: Object.freeze(mapValues(identity.trustBundles, absolute)),
    federation: Object.freeze(mapValues(identity.federation, (end) => absoluteAt(end, ['trustBundle'], absolute))),
    revocationLists: Object.freeze(identity.revocationLists.map(absolute)),
    ...(identity.persist !== undefined && { persist: absolute(identity.persist) }),
  };
  switch (identity.source) {
    case 'files':
      return absoluteAt({ ...identity, ...trust }, ['certificate', 'privateKey', 'passphrase'], absolute);
    case 'authority': {
      const authority = absoluteAt(identity.authority, ['trustBundle', 'token', 'keep'], absolute);
      return absoluteAt({ ...identity, ...trust, authority }, ['passphrase'], absolute);
    }
    case 'workload-api':
      return Object.freeze({ ...identity, ...trust });
    default:
      return identity satisfies never;
  }
}

function absolutePolicy(policy: Config['policy'], absolute: Absolute): Config['policy'] {
  const { bundle, bundleServer, candidate, verification } = policy;
  const located = (at: typeof bundle): typeof bundle => (at.kind === 'path' ? absoluteAt(at, ['path'], absolute) : at);
  return Object.freeze({
    ...absoluteAt(policy, ['protoDescriptors'], absolute),
    bundle: located(bundle),
    ...(candidate && { candidate: Object.freeze({ ...candidate, bundle: located(candidate.bundle) }) }),
    bundleServer: absoluteAt(bundleServer, [...ACCESS_PATHS, 'persist'], absolute),
    ...(verification === undefined
      ? {}
      : {
          verification: Object.freeze({
            ...verification,
            keys: Object.freeze(mapValues(verification.keys, (key) => absoluteAt(key, ['file'], absolute))),
          }),
        }),
  });
}

function absoluteTarget(target: Config['journal'][number], absolute: Absolute): Config['journal'][number] {
  if (target.kind === 'stdout') return target;
  return target.kind === 'file' ? absoluteAt(target, ['path'], absolute) : absoluteAt(target, ACCESS_PATHS, absolute);
}

/** A frozen copy with these members made absolute, where they are there. */
function absoluteAt<T extends object>(value: T, keys: readonly (keyof T)[], absolute: Absolute): T {
  const copy = { ...value };
  for (const key of keys) {
    const path = copy[key];
    if (typeof path === 'string') copy[key] = absolute(path) as T[typeof key];
  }
  return Object.freeze(copy);
}

function mapValues<T>(map: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}
