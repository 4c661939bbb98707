import { loadInjectorConfig } from '../../core/config/injector-config.ts';
import { isMap, textIn, within } from './objects.ts';

import type { ConfigMistake } from '../../core/config/mistake.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { InjectionSettings } from '../../core/model/injection.ts';

/** Where the chart's parts are, as its templates name them for `helm install sallyport … --namespace sallyport-system`. */
const NAMESPACE = 'sallyport-system';
const AUTHORITY = 'sallyport-authority';
const INJECTOR = 'sallyport-injector';

/**
 * What the chart of this version makes of its values, as far as it is about injected pods; `{}` for the defaults. For a look without a cluster: the chart's own
 * templates are what counts.
 */
export function chartSettings(values: unknown, version: string): Result<InjectionSettings, readonly ConfigMistake[]> {
  const trustDomain = textIn(values, 'trustDomain') ?? 'cluster.local';
  const isBundle = textIn(values, 'policies', 'source') === 'bundle';
  const written = mapIn(values, 'sidecar');
  const config = {
    namespace: NAMESPACE,
    trust: { roots: '/etc/sallyport/trust/roots.pem' },
    ...(!isBundle && { policyService: {} }),
    sidecar: {
      ...written,
      trustDomain,
      image: written['image'] ?? image(values, version),
      imagePullPolicy: written['imagePullPolicy'] ?? textIn(values, 'image', 'pullPolicy') ?? 'IfNotPresent',
      identity: identity(mapIn(written, 'identity'), values, trustDomain),
      policy: isBundle
        ? { source: 'bundle', bundle: within(values, 'policies', 'bundle') ?? {} }
        : {
            source: 'namespace',
            namespace: {
              url: `https://${INJECTOR}.${NAMESPACE}.svc:8445`,
              id: `spiffe://${trustDomain}/ns/${NAMESPACE}/sa/${INJECTOR}`,
            },
          },
    },
  };
  const loaded = loadInjectorConfig(JSON.stringify(config), {});
  return loaded.ok ? { ok: true, value: loaded.value.sidecar } : loaded;
}

function identity(written: Readonly<Record<string, unknown>>, values: unknown, trustDomain: string): unknown {
  if (written['source'] === 'workload-api') return written;
  const authority = {
    url: `https://${AUTHORITY}.${NAMESPACE}.svc:8444`,
    id: within(values, 'authority', 'config', 'id') ?? `spiffe://${trustDomain}/sallyport/authority`,
    audience: within(values, 'authority', 'config', 'kubernetes', 'audience') ?? 'sallyport',
    ...mapIn(written, 'authority'),
  };
  return { ...written, authority };
}

function image(values: unknown, version: string): string {
  const [tag, digest] = [textIn(values, 'image', 'tag') ?? '', textIn(values, 'image', 'digest') ?? ''];
  const suffix = digest === '' ? `:${tag === '' ? version : tag}` : `@${digest}`;
  return `${textIn(values, 'image', 'repository') ?? 'sallyport'}${suffix}`;
}

function mapIn(value: unknown, key: string): Readonly<Record<string, unknown>> {
  const found = within(value, key);
  return isMap(found) ? found : {};
}
