import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';

import { until } from '../support/until.ts';
import { askApi, callApi, type ApiAnswer, type ApiCall, type KubeApi, type KubeObject } from './kube-api.ts';
import { createKubeTools, runCommand, type CommandResult, type KubeTools } from './kube-tools.ts';
import { CLUSTER_VARIABLE, type ClusterFacts } from './start-cluster.ts';
import { IMAGES } from './test-images.ts';

/** A container of a pod. */
export type PodPlace = { readonly namespace: string; readonly pod: string; readonly container?: string };

/** The cluster that `npm run test:cluster` brought up. Tests are on its node: addresses of pods and Services can be reached from them, as from the kubelet. */
export type Cluster = KubeTools & {
  readonly api: KubeApi;
  readonly kubeconfig: string;
  readonly caFile: string;
  /** Holds the logs of the cluster's programs. */
  readonly folder: string;
  readonly images: typeof IMAGES;
  readonly call: (call: ApiCall) => Promise<ApiAnswer>;
  /** Makes a namespace with a name of its own, removed when the test ends. */
  readonly createNamespace: (context: TestContext, labels?: Readonly<Record<string, string>>) => Promise<string>;
  /** `kubectl apply` of objects. */
  readonly apply: (namespace: string, ...objects: readonly object[]) => Promise<void>;
  /** Waits until a pod is ready; fails with what is known of it. */
  readonly podReady: (namespace: string, pod: string) => Promise<void>;
  /** Waits until a pod is in a phase: `Succeeded`, `Failed`, `Running`. */
  readonly phase: (namespace: string, pod: string, phase: string) => Promise<void>;
  /** Waits for a Deployment or StatefulSet, `deployment/NAME`. */
  readonly rolledOut: (namespace: string, workload: string) => Promise<void>;
  /**
   * Waits until connections to Services lead to all pods behind each: kube-proxy knows of a pod a moment after it is ready, and refuses them until then. Nothing is sent:
   * a sidecar would write it down, and the caller's would count the refusals, and try no more for half a minute.
   */
  readonly leadTo: (namespace: string, ...services: readonly string[]) => Promise<void>;
  /** Waits for a Job to complete. */
  readonly jobDone: (namespace: string, job: string) => Promise<void>;
  readonly pod: (namespace: string, pod: string) => Promise<PodOnNode>;
  /** Pods that a label selector selects. */
  readonly pods: (namespace: string, selector: string) => Promise<readonly PodOnNode[]>;
  /** Runs a command in a container; how it ended. */
  readonly exec: (place: PodPlace, command: readonly string[], input?: string) => Promise<CommandResult>;
  readonly logs: (place: PodPlace) => Promise<string>;
  /** Calls a URL from within a container that has busybox's wget: its answer, or why there was none. */
  readonly wget: (place: PodPlace, url: string) => Promise<CommandResult>;
  /** Everything there is to know of a namespace, for messages. */
  readonly story: (namespace: string) => Promise<string>;
};

/** A pod as far as tests ask. */
export type PodOnNode = KubeObject & {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
};
export type ContainerStatus = {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: Readonly<Record<string, unknown>>;
};

/** The cluster that runs; throws where none does. */
export function theCluster(): Cluster {
  const path = process.env[CLUSTER_VARIABLE];
  if (path === undefined) {
    throw new Error('no cluster runs: npm run test:cluster -- test/kube/cluster/NAME.kube.ts starts one for this test');
  }
  const facts = JSON.parse(readFileSync(path, 'utf8')) as ClusterFacts;
  const { folder, kubeconfig, caFile, url, token } = facts;
  const api: KubeApi = { url, token, caPem: readFileSync(caFile, 'utf8') };
  const tools = createKubeTools(kubeconfig, folder);
  const story = (namespace: string): Promise<string> => storyOf(tools, namespace);
  const must = async (namespace: string, args: readonly string[]): Promise<void> => {
    const { code, stderr } = await tools.tryKubectl(['-n', namespace, ...args]);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}\n${await story(namespace)}`);
  };
  return {
    ...tools,
    api,
    kubeconfig,
    caFile,
    folder,
    images: IMAGES,
    call: (call) => callApi(api, call),
    createNamespace: (context, labels) => createNamespace(api, context, labels),
    async apply(namespace, ...objects) {
      const list = { apiVersion: 'v1', kind: 'List', items: objects };
      await tools.kubectl(['-n', namespace, 'apply', '-f', '-'], JSON.stringify(list));
    },
    podReady: (namespace, pod) => must(namespace, ['wait', `pod/${pod}`, '--for=condition=Ready', '--timeout=60s']),
    phase: (namespace, pod, phase) =>
      must(namespace, ['wait', `pod/${pod}`, `--for=jsonpath={.status.phase}=${phase}`, '--timeout=60s']),
    rolledOut: (namespace, workload) => must(namespace, ['rollout', 'status', workload, '--timeout=120s']),
    async leadTo(namespace, ...services) {
      for (const service of services) await serviceLeads(api, namespace, service);
    },
    jobDone: (namespace, job) => must(namespace, ['wait', `job/${job}`, '--for=condition=Complete', '--timeout=60s']),
    pod: async (namespace, pod) =>
      (await askApi(api, { path: `/api/v1/namespaces/${namespace}/pods/${pod}` })) as PodOnNode,
    async pods(namespace, selector) {
      const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`;
      return ((await askApi(api, { path })) as { readonly items: readonly PodOnNode[] }).items;
    },
    exec: (place, command, input) =>
      tools.tryKubectl(
        ['exec', ...(input === undefined ? [] : ['-i']), ...placeArgs(place), '--', ...command],
        input === undefined ? {} : { input },
      ),
    logs: (place) => tools.kubectl(['logs', ...placeArgs(place)]),
    wget: (place, url) =>
      tools.tryKubectl(['exec', ...placeArgs(place), '--', 'timeout', '5', 'wget', '-q', '-O', '-', url]),
    story,
  };
}

function placeArgs({ namespace, pod, container }: PodPlace): readonly string[] {
  return ['-n', namespace, pod, ...(container === undefined ? [] : ['-c', container])];
}

async function createNamespace(
  api: KubeApi,
  context: TestContext,
  labels: Readonly<Record<string, string>> = {},
): Promise<string> {
  const name = `test-${randomBytes(4).toString('hex')}`;
  await askApi(api, { method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name, labels } } });
  context.after(async () => {
    // Pods would have their grace; a cluster that is for tests alone need not wait for them.
    await callApi(api, { method: 'DELETE', path: `/api/v1/namespaces/${name}` });
  });
  const path = `/api/v1/namespaces/${name}/serviceaccounts/default`;
  await until(`the service account of ${name}`, async () => (await callApi(api, { path })).status === 200);
  return name;
}

/** kube-proxy has a chain for each port of a Service, `service-HASH-NAMESPACE/SERVICE/tcp/PORT`, with the addresses that it leads to. */
async function serviceLeads(api: KubeApi, namespace: string, service: string): Promise<void> {
  const root = `/api/v1/namespaces/${namespace}`;
  const { spec } = (await askApi(api, { path: `${root}/services/${service}` })) as ServiceObject;
  const selector = Object.entries(spec.selector).map((pair) => pair.join('='));
  const path = `${root}/pods?labelSelector=${encodeURIComponent(selector.join())}`;
  await until(`Service ${service} to lead to its pods`, async () => {
    const { items } = (await askApi(api, { path })) as { readonly items: readonly PodOnNode[] };
    const { stdout } = await runCommand('nft', ['list', 'table', 'ip', 'kube-proxy']);
    const chains = stdout.split('\tchain ');
    const ledTo = spec.ports.map(({ name = '' }) => {
      const rules = chains.find((chain) => chain.split(' ', 1)[0]?.endsWith(`-${namespace}/${service}/tcp/${name}`));
      return new Set(rules?.split(/[^0-9.]+/));
    });
    return items.length > 0 && items.every(({ status }) => ledTo.every((all) => all.has(status.podIP ?? 'none')));
  });
}

type ServiceObject = {
  readonly spec: {
    readonly selector: Readonly<Record<string, string>>;
    readonly ports: readonly { readonly name?: string }[];
  };
};

async function storyOf({ tryKubectl }: KubeTools, namespace: string): Promise<string> {
  const parts = await Promise.all(
    [
      ['get', 'pods', '-o', 'wide'],
      ['get', 'events', '--sort-by=.lastTimestamp'],
      ['describe', 'pods'],
    ].map((args) => tryKubectl(['-n', namespace, ...args])),
  );
  return parts
    .map(({ stdout, stderr }) => stdout + stderr)
    .join('\n')
    .slice(-16_000);
}
