import { parseUniqueJson } from '../../core/bundle/unique-json.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { plainAddress } from './rate-limit-source.ts';

import type { Result } from '../../core/kernel/result.ts';

/** What the API server says of a pod, as far as it matters who speaks for it. */
export type PodFacts = {
  readonly uid: string;
  readonly serviceAccount: string;
  /** It has a deletion time: it is on its way out, and still runs. */
  readonly isEnding: boolean;
  /** Its phase is `Succeeded` or `Failed`: nothing of it runs, or will again. */
  readonly isFinished: boolean;
  /** It shares the addresses of its node. */
  readonly isOnHostNetwork: boolean;
  /** `status.podIPs` as `plainAddress` writes them; empty until the kubelet has said them. */
  readonly addresses: readonly string[];
};

const FINISHED: ReadonlySet<unknown> = new Set(['Succeeded', 'Failed']);
/** Kubernetes gives a pod one address of each family. */
const MAX_ADDRESSES = 16;

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a Pod (Kubernetes API, v1). Believed only where every field that says something has its type. Kubernetes leaves out what is false or empty;
 * fields that are unknown here are passed over. The error names the field.
 */
export function readPod(text: string): Result<PodFacts, string> {
  const parsed = parseUniqueJson(text);
  const pod = parsed.ok ? objectOf(parsed.value) : undefined;
  if (pod === undefined) return err('the answer is no JSON object, or names a key twice');
  if (pod['kind'] !== 'Pod' || pod['apiVersion'] !== 'v1') return err('the answer is no Pod of v1');
  const [metadata, spec, status] = [objectOf(pod['metadata']), objectOf(pod['spec']), objectOf(pod['status'] ?? {})];
  if (metadata === undefined || spec === undefined || status === undefined)
    return err('the pod has no metadata, spec or status');
  const { uid, deletionTimestamp } = metadata as { uid?: unknown; deletionTimestamp?: unknown };
  const { serviceAccountName: serviceAccount, hostNetwork = false } = spec as {
    serviceAccountName?: unknown;
    hostNetwork?: unknown;
  };
  if (typeof uid !== 'string' || uid === '') return err('metadata.uid is no text');
  if (typeof serviceAccount !== 'string' || serviceAccount === '') return err('spec.serviceAccountName is no text');
  if (typeof hostNetwork !== 'boolean') return err('spec.hostNetwork is no boolean');
  const addresses = addressesOf(status['podIPs'] ?? []);
  if (addresses === undefined) return err('status.podIPs is no list of addresses');
  return ok({
    uid,
    serviceAccount,
    isEnding: deletionTimestamp !== undefined && deletionTimestamp !== null,
    isFinished: FINISHED.has(status['phase']),
    isOnHostNetwork: hostNetwork,
    addresses,
  });
}

function addressesOf(list: unknown): readonly string[] | undefined {
  if (!Array.isArray(list) || list.length > MAX_ADDRESSES) return undefined;
  const addresses: string[] = [];
  for (const entry of list as readonly unknown[]) {
    const ip = objectOf(entry)?.['ip'];
    const plain = typeof ip === 'string' ? plainAddress(ip) : undefined;
    if (plain === undefined) return undefined;
    addresses.push(plain);
  }
  return addresses;
}

function objectOf(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}
