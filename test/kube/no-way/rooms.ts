import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { until } from '../../support/until.ts';
import { CLONE, policy, type Agent } from '../agents.ts';
import type { Cluster, PodOnNode } from '../cluster.ts';
import type { Answer, Door } from '../knock.ts';

/** The user that sidecars run as. */
export const SIDECAR_USER = 61_337;

/** Listens on 8080, which it declares, and on 9090, which it does not; both for TCP and UDP, on every address. */
export const OPEN_AGENT = [`${CLONE}/test/kube/programs/open-agent.ts`, '8080,9090', '8080,9090'];

/** Where the tests are. */
export type Rooms = {
  readonly cluster: Cluster;
  /** The chart's own namespace. */
  readonly system: string;
  /** A namespace without the label, where `thief` does as told and `plain` is an open agent without a sidecar. */
  readonly outside: string;
};

/** A labelled namespace with an open agent `guarded` and others who may call it. */
export type Guarded = {
  readonly namespace: string;
  readonly pod: PodOnNode;
  readonly ip: string;
};

/** Everybody who proves an identity gets in: what is looked at is who gets as far as that. */
const EVERYBODY = 'package sallyport.authz\ndecision := true\n';

/** A labelled namespace with that policy. */
export async function labelledNamespace(cluster: Cluster, context: TestContext): Promise<string> {
  const namespace = await cluster.createNamespace(context, { 'sallyport.dev/inject': 'enabled' });
  await cluster.apply(namespace, policy(EVERYBODY));
  return namespace;
}

/** The annotation with whom an agent may call: Services of its namespace, all led to the agent `guarded`. */
export function mayCall(namespace: string, ...services: readonly string[]): NonNullable<Agent['annotations']> {
  const id = `spiffe://cluster.local/ns/${namespace}/sa/guarded`;
  const map = Object.fromEntries(services.map((name) => [`${name}.${namespace}.svc:80`, { id }]));
  return { 'sallyport.dev/destinations': JSON.stringify(map) };
}

/** The one pod of a Deployment, once it is ready. */
export async function onePod(
  cluster: Cluster,
  namespace: string,
  name: string,
): Promise<PodOnNode & { readonly ip: string }> {
  await cluster.rolledOut(namespace, `deployment/${name}`);
  const [pod] = await cluster.pods(namespace, `app=${name}`);
  assert.ok(pod?.status.podIP !== undefined);
  return { ...pod, ip: pod.status.podIP };
}

/** Knocks at doors from within the agent's container of a Deployment; `user`: as whom. */
export async function knockFrom(
  cluster: Cluster,
  namespace: string,
  name: string,
  doors: readonly Door[],
  user?: number,
): Promise<readonly Answer[]> {
  const place = { namespace, pod: `deployment/${name}`, container: 'agent' };
  const as = user === undefined ? [] : [String(user)];
  const args = [`${CLONE}/test/kube/programs/knock.ts`, ...as, JSON.stringify(doors)];
  const { stdout, stderr } = await cluster.exec(place, ['node', ...args]);
  assert.ok(stdout.startsWith('['), stderr);
  return JSON.parse(stdout) as readonly Answer[];
}

/** What came of each door, to compare and to read. */
export function told(doors: readonly Door[], answers: readonly Answer[]): readonly string[] {
  return doors.map(({ kind, host, port }, index) => `${kind} ${host}:${port} ${answers[index]}`);
}

/** What an open agent saw of others, a line for each: `arrived tcp PORT FROM`. */
export async function arrivals(cluster: Cluster, namespace: string, name: string): Promise<readonly string[]> {
  const log = await cluster.logs({ namespace, pod: `deployment/${name}`, container: 'agent' });
  return log.split('\n').filter((line) => line.startsWith('arrived '));
}

/** A decision record as far as it is looked at. */
export type Line = {
  readonly sallyport: {
    readonly direction: string;
    readonly remote: string;
    readonly verdict: string;
    readonly fault?: string;
  };
};

/** The decision records of a Deployment's sidecar. */
export async function records(cluster: Cluster, namespace: string, name: string): Promise<readonly Line[]> {
  const log = await cluster.logs({ namespace, pod: `deployment/${name}`, container: 'sallyport' });
  const lines = log.split('\n').filter((line) => line.startsWith('{"decision_id"'));
  return lines.map((line) => JSON.parse(line) as Line);
}

/** The faults of all that a Deployment's sidecar denied, once there are `count` of them: what the kubelet tells of a log is a moment late. */
export async function deniedRecords(
  cluster: Cluster,
  namespace: string,
  name: string,
  count: number,
): Promise<readonly string[]> {
  return until(`${count} records`, async () => {
    const denied = (await records(cluster, namespace, name)).filter(({ sallyport }) => sallyport.verdict === 'deny');
    return denied.length >= count ? denied.map(({ sallyport }) => String(sallyport.fault)) : undefined;
  });
}
