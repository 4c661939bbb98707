import { encodePem, pemBlocks } from '../../core/identity/pem.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { isRecord } from './api-resource.ts';
import { fingerprintOf } from './serving-state.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { KubeObject } from './api-resource.ts';

/** Certificates by the SHA-256 of their DER, PEM each. */
export type Certificates = ReadonlyMap<string, string>;

/** What the API server believes of each webhook of one configuration. */
export type CaBundles = {
  readonly resourceVersion: string;
  readonly webhooks: readonly { readonly name: string; readonly certificates: Certificates }[];
};

/** Reads the webhooks of a MutatingWebhookConfiguration. What is no certificate in a `caBundle` counts for nothing. */
export function readCaBundles(configuration: KubeObject): Result<CaBundles, string> {
  const { metadata, webhooks } = configuration;
  const { name = '', resourceVersion } = metadata;
  if (resourceVersion === undefined || !Array.isArray(webhooks) || webhooks.length === 0)
    return err(`MutatingWebhookConfiguration ${name}: it has no webhooks`);
  const read = webhooks.map((webhook: unknown) => webhookOf(webhook));
  const good = read.filter((one) => one !== undefined);
  return good.length === read.length
    ? ok({ resourceVersion, webhooks: good })
    : err(`MutatingWebhookConfiguration ${name}: a webhook without name or clientConfig`);
}

function webhookOf(webhook: unknown): CaBundles['webhooks'][number] | undefined {
  const { name, clientConfig } = isRecord(webhook) ? webhook : {};
  if (typeof name !== 'string' || !isRecord(clientConfig)) return undefined;
  const { caBundle } = clientConfig;
  const text = typeof caBundle === 'string' ? Buffer.from(caBundle, 'base64').toString('latin1') : '';
  const blocks = pemBlocks(text);
  const certificates = new Map<string, string>();
  for (const { label, der } of blocks.ok ? blocks.value : []) {
    const pem = encodePem('CERTIFICATE', der);
    const fingerprint = label === 'CERTIFICATE' ? fingerprintOf(pem) : undefined;
    if (fingerprint !== undefined) certificates.set(fingerprint, pem);
  }
  return { name, certificates };
}

/** Certificates that are in the bundle of any webhook. */
export function inAny({ webhooks }: CaBundles): ReadonlySet<string> {
  return new Set(webhooks.flatMap(({ certificates }) => [...certificates.keys()]));
}

/** Certificates that are in the bundle of every webhook. */
export function inEvery({ webhooks }: CaBundles): ReadonlySet<string> {
  const [first, ...others] = webhooks;
  const all = [...(first?.certificates.keys() ?? [])];
  return new Set(all.filter((one) => others.every(({ certificates }) => certificates.has(one))));
}

/**
 * The JSON patch (RFC 6902) after which every webhook believes `wanted`, those among its present ones that `keep` says, and nothing else; undefined
 * where that is so. It fails where anybody changed the configuration since it was read, and touches no other field.
 */
export function caBundlePatch(
  { resourceVersion, webhooks }: CaBundles,
  wanted: Certificates,
  keep: (fingerprint: string) => boolean,
): readonly object[] | undefined {
  const changes = webhooks.flatMap(({ name, certificates }, index) => {
    const kept = [...certificates].filter(([fingerprint]) => wanted.has(fingerprint) || keep(fingerprint));
    const missing = [...wanted].filter(([fingerprint]) => !certificates.has(fingerprint));
    if (kept.length === certificates.size && missing.length === 0) return [];
    const text = [...kept, ...missing].map(([, pem]) => pem).join('');
    return [
      { op: 'test', path: `/webhooks/${index}/name`, value: name },
      // Adding to an object replaces what is there (RFC 6902 4.1), and it may not be there.
      { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: Buffer.from(text).toString('base64') },
    ];
  });
  return changes.length === 0
    ? undefined
    : [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }, ...changes];
}
