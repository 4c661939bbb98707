import { ok } from '../kernel/result.ts';
import { PASSED_ON } from './injection-section.ts';
import { injectorChecks } from './injector-checks.ts';
import { injectorSchema } from './injector-schema.ts';
import { freeze, loadSettings } from './load.ts';
import { at } from './raw-values.ts';
import { readTree } from './tree.ts';

import type * as z from 'zod';
import type { Result } from '../kernel/result.ts';
import type { InjectedIdentity, InjectedPolicy, InjectionSettings } from '../model/injection.ts';
import type { Environment } from './expansion.ts';
import type { Frozen } from './load.ts';
import type { ConfigMistake } from './mistake.ts';

type Parsed = Frozen<z.output<typeof injectorSchema>>;
type Webhook = Parsed['webhook'];

/** Where the webhook's key and certificate come from. `lives` in milliseconds. */
export type ServingCertificateSource =
  | ({ readonly source: 'self' } & Webhook['certificate']['self'])
  | { readonly source: 'files'; readonly certificate: string; readonly privateKey: string };

/** What `sallyport injector` runs with: deeply frozen, defaults filled in, durations in milliseconds, sizes in bytes. Paths stand as written. */
export type InjectorConfig = Omit<Parsed, 'sidecar' | 'webhook'> & {
  readonly webhook: Omit<Webhook, 'certificate'> & { readonly certificate: ServingCertificateSource };
  readonly sidecar: InjectionSettings;
};

/** Reads the injector's configuration, YAML or JSON. Mistakes are reported together, in the order of the file. Pure; never throws. */
export function loadInjectorConfig(text: string, env: Environment): Result<InjectorConfig, readonly ConfigMistake[]> {
  const loaded = loadSettings(text, env, injectorSchema, injectorChecks);
  if (!loaded.ok) return loaded;
  const { sidecar, webhook, ...rest } = loaded.value;
  const tree = readTree(text, env);
  const written = tree.ok ? at(tree.value.value, 'sidecar') : undefined;
  return ok(
    freeze({
      ...rest,
      webhook: { ...webhook, certificate: servingCertificate(webhook.certificate) },
      sidecar: injectionSettings(sidecar, written),
    }),
  );
}

function servingCertificate({ source, self, files }: Webhook['certificate']): ServingCertificateSource {
  return source === 'files' && files !== undefined ? { source, ...files } : { source: 'self', ...self };
}

/** The settings of injection; the sidecar's own keys as they are written, because that is what its file will hold. */
function injectionSettings(sidecar: Parsed['sidecar'], written: unknown): InjectionSettings {
  const {
    identity,
    policy,
    journal: _,
    journalQueue: _queue,
    status: _status,
    labels: _labels,
    limits: _limits,
    ...rest
  } = sidecar;
  const extra = PASSED_ON.flatMap((key) => {
    const value = at(written, key);
    return value === undefined ? [] : [[key, value] as const];
  });
  return {
    ...rest,
    identity: injectedIdentity(identity),
    policy: injectedPolicy(policy),
    extra: Object.fromEntries(extra),
  };
}

function injectedIdentity({ source, authority, workloadApi }: Parsed['sidecar']['identity']): InjectedIdentity {
  return source === 'authority' && authority !== undefined
    ? { source, ...authority }
    : { source: 'workload-api', ...workloadApi };
}

function injectedPolicy({ namespace, bundle }: Parsed['sidecar']['policy']): InjectedPolicy {
  if (namespace !== undefined) return { source: 'namespace', ...namespace };
  // One of the two is there, or `injectorChecks` would have refused.
  return { source: 'bundle', url: bundle?.url ?? '', decision: bundle?.decision ?? '' };
}
