import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { until } from '../support/until.ts';
import { startClusterDns } from './cluster-dns.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { callApi } from './kube-api.ts';
import { startNetworkPolicies } from './network-policy-enforcer.ts';
import { NETWORK, prepareNamespaces } from './node-network.ts';
import { containerdSocket, NODE, startContainerd, startControllers, startKubelet, startProxy } from './node-parts.ts';
import { importImages } from './test-images.ts';

/** What tests are told of the cluster that runs, in a file. */
export type ClusterFacts = {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly caFile: string;
  readonly url: string;
  readonly token: string;
};

/** Names the file of facts in the environment of tests. */
export const CLUSTER_VARIABLE = 'SALLYPORT_TEST_CLUSTER';

/**
 * Brings up a whole cluster of one node, in namespaces of its own in which this process already is; `folder` and the control group are empty and its own.
 * It ends with the namespaces. Returns the path of the file of facts.
 */
export async function startCluster(folder: string, cgroup: string, say: (line: string) => void): Promise<string> {
  prepareNamespaces(folder);
  const containerd = startContainerd(folder);
  const images = until('containerd', () => existsSync(containerdSocket(folder))).then(() => importImages(folder));
  const plane = await startControlPlane({
    folder,
    bind: '0.0.0.0',
    address: NETWORK.node,
    ports: { api: 6443, etcd: 2379, etcdPeer: 2380 },
    serviceRange: NETWORK.services,
    endpoints: 'lease',
  });
  say('API server ready');
  const node = { folder, plane, cgroup };
  const controllers = await startControllers(node);
  await images.catch((error: unknown) => {
    throw new Error(`${String(error)}\n${containerd.story()}`, { cause: error });
  });
  say('images imported');
  const parts = [containerd, ...controllers, await startKubelet(node), await startProxy(node)];
  await startClusterDns(plane.api);
  startNetworkPolicies(plane.api, say);
  await until('the node', async () => {
    const dead = parts.find((each) => !each.isRunning());
    if (dead !== undefined) throw new Error(`${dead.name} ended\n${dead.story()}`);
    return nodeIsReady(plane);
  });
  await until('the account of pods', async () => (await accountStatus(plane)) === 200);
  say('node ready');
  return writeFacts(folder, plane);
}

async function nodeIsReady({ api }: ControlPlane): Promise<boolean> {
  const { json } = await callApi(api, { path: `/api/v1/nodes/${NODE}` });
  const { status } = json as { status?: { conditions?: readonly { type: string; status: string }[] } | string };
  if (typeof status !== 'object') return false;
  return status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false;
}

async function accountStatus({ api }: ControlPlane): Promise<number> {
  return (await callApi(api, { path: '/api/v1/namespaces/default/serviceaccounts/default' })).status;
}

async function writeFacts(folder: string, { api, pki, kubeconfig }: ControlPlane): Promise<string> {
  const facts: ClusterFacts = { folder, kubeconfig, caFile: pki.caFile, url: api.url, token: api.token };
  const path = join(folder, 'facts.json');
  await writeFile(path, JSON.stringify(facts), { mode: 0o600 });
  return path;
}
