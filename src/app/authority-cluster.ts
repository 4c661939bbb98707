import type { AuthorityConfig } from '../core/config/authority-config.ts';
import type { TrustDocument } from '../core/model/svid.ts';
import {
  createApiServer,
  inClusterApi,
  OWN_NAMESPACE_FILE,
  type ApiServer,
  type ApiServerSettings,
} from '../io/authority/api-server.ts';
import type { IssuingAuthority } from '../io/authority/issuing-authority.ts';
import { createPodDirectory, type PodDirectory } from '../io/authority/pod-directory.ts';
import type { PodKeeperSettings } from '../io/authority/pod-keeper.ts';
import { createServiceAccountJudge, type ServiceAccountJudge } from '../io/authority/service-account-judge.ts';
import { createTokenReviewer } from '../io/authority/token-review.ts';
import { createTrustConfigMap, type TrustConfigMap } from '../io/authority/trust-config-map.ts';
import { readBounded } from '../io/sources/read-file.ts';
import { systemTimer } from '../io/sources/timer.ts';
import { createRandom } from './system.ts';

type Kubernetes = NonNullable<AuthorityConfig['kubernetes']>;

/** What an authority has of the Kubernetes cluster that its callers are in. Without effects. */
export type AuthorityCluster = {
  readonly api: ApiServer;
  readonly judge: ServiceAccountJudge;
  /** Undefined where no pod is asked for. */
  readonly pods: PodDirectory | undefined;
  readonly podProof: PodKeeperSettings;
};

/** Throws where the API server is neither configured nor that of our own pod (a start-up fault). */
export function clusterOf(kubernetes: Kubernetes): AuthorityCluster {
  const api = createApiServer(apiSettings(kubernetes), { readFile: readBounded, timer: systemTimer });
  const { audience, bindPod, podAddress: isAddressed, outage: outageMs } = kubernetes;
  const pods = bindPod ? createPodDirectory(api) : undefined;
  const judge = createServiceAccountJudge(createTokenReviewer(audience, api), pods && { pods, isAddressed });
  return { api, judge, pods, podProof: { isAddressed, outageMs } };
}

function apiSettings({ api, trustBundle, token }: Kubernetes): ApiServerSettings {
  const mounted = inClusterApi(process.env);
  if (api === undefined && !mounted.ok) throw new Error(`kubernetes.api: ${mounted.error}`);
  const found = mounted.ok ? mounted.value : { url: '', tokenFile: '', caFile: '' };
  return {
    ...found,
    ...(api !== undefined && { url: api }),
    ...(trustBundle !== undefined && { caFile: trustBundle }),
    ...(token !== undefined && { tokenFile: token }),
  };
}

/** The publication of the roots, as configured; undefined where there is none. Rejects where its namespace cannot be found out (a start-up fault). */
export async function publicationOf(
  { publish }: Kubernetes,
  { api }: Pick<AuthorityCluster, 'api'>,
  authority: Pick<IssuingAuthority, 'trust'>,
  formatBundle: (trust: TrustDocument) => string,
): Promise<TrustConfigMap | undefined> {
  if (publish === undefined) return undefined;
  const namespace = publish.namespace ?? (await ownNamespace());
  return createTrustConfigMap(
    { namespace, name: publish.configMap },
    { api, trust: () => authority.trust(), formatBundle, timer: systemTimer, random: createRandom() },
  );
}

async function ownNamespace(): Promise<string> {
  const file = await readBounded(OWN_NAMESPACE_FILE, 256);
  if (!file.ok) throw new Error(`kubernetes.publish.namespace: not configured, and ${file.error}`);
  return new TextDecoder().decode(file.value.bytes).trim();
}
