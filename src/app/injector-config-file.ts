import { dirname, resolve } from 'node:path';

import { loadInjectorConfig, type InjectorConfig } from '../core/config/injector-config.ts';
import { err, ok, type Result } from '../core/kernel/result.ts';
import type { Environment } from '../core/config/expansion.ts';
import type { ConfigFileFault } from '../io/sources/config-file.ts';
import { readBounded } from '../io/sources/read-file.ts';

const MAX_BYTES = 1_048_576;

/** Reads the configuration file of an injector. Relative paths in it are absolute in the result, counted from the folder of the file. */
export async function readInjectorConfigFile(
  path: string,
  env: Environment,
): Promise<Result<InjectorConfig, ConfigFileFault>> {
  const file = await readBounded(path, MAX_BYTES);
  if (!file.ok) return err({ kind: 'unreadable', detail: file.error });
  const config = loadInjectorConfig(new TextDecoder().decode(file.value.bytes), env);
  if (!config.ok) return err({ kind: 'mistakes', mistakes: config.error });
  const folder = dirname(resolve(path));
  const absolute = <T extends string | undefined>(relative: T) =>
    relative === undefined ? relative : resolve(folder, relative);
  const { webhook, trust, policyService } = config.value;
  const { certificate } = webhook;
  return ok(
    Object.freeze({
      ...config.value,
      trust: { ...trust, roots: absolute(trust.roots) },
      webhook: {
        ...webhook,
        certificate:
          certificate.source === 'files'
            ? {
                ...certificate,
                certificate: resolve(folder, certificate.certificate),
                privateKey: resolve(folder, certificate.privateKey),
              }
            : certificate,
      },
      policyService: policyService && { ...policyService, platform: absolute(policyService.platform) },
    }),
  );
}
