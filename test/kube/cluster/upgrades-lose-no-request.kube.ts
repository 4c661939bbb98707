import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { until } from '../../support/until.ts';
import { CLONE, policy, workload } from '../agents.ts';
import { theCluster, type Cluster } from '../cluster.ts';
import { followRecords } from '../followed-records.ts';
import { install, type Values } from '../installed.ts';
import { callApi } from '../kube-api.ts';
import { withoutApiServer } from '../node-processes.ts';

/** Of HTTP and of gRPC each: 15 a second. */
const EVERY_MS = '66';
const OUTAGE_MS = 20_000;
/** Where failures are more, the first ones tell. */
const SHOWN = 5;

test('upgrades, restarts and changes of policy lose no request', async (context) => {
  const cluster = theCluster();
  const installed = await install(cluster, context, values('sallyport'));
  const webhook = watchWebhook(cluster, context);
  const namespace = await cluster.createNamespace(context, { 'sallyport.dev/inject': 'enabled' });
  const called = followRecords(cluster, context, namespace, 'app=weather');
  const calling = followRecords(cluster, context, namespace, 'app=planner');
  await cluster.apply(namespace, policy(REGO), ...weather(cluster));
  await cluster.rolledOut(namespace, 'deployment/weather');
  await cluster.leadTo(namespace, 'weather');
  await cluster.apply(namespace, ...planner(cluster, namespace));
  await cluster.rolledOut(namespace, 'deployment/planner');
  const load = loadOf(cluster, namespace);
  await load.moreCalls();

  const restart = async (where: string, workloadName: string): Promise<void> => {
    await cluster.kubectl(['-n', where, 'rollout', 'restart', workloadName]);
    await cluster.rolledOut(where, workloadName);
  };
  const stage = (name: string, act: () => Promise<void>): Promise<void> =>
    context.test(name, async (own) => {
      const began = performance.now();
      await act();
      await load.moreCalls();
      own.diagnostic(`${((performance.now() - began) / 1000).toFixed(1)} s`);
      assert.deepEqual(await load.newFailures(), []);
    });

  await stage('a candidate policy shows in records and metrics, and blocks nothing', async () => {
    await cluster.apply(namespace, policy(NOTHING, 'sallyport-policy-candidate'));
    const record = await until('a record of both', () =>
      called.all().find(({ sallyport }) => sallyport.candidate?.verdict === 'deny'),
    );
    const { podIP } = (await cluster.pod(namespace, record.pod)).status;
    const metrics = await (await fetch(`http://${podIP}:15000/metrics`)).text();
    assert.match(metrics, /^sallyport_candidate_[a-z_]+\{.*\} [1-9]/m);
    await cluster.kubectl(['-n', namespace, 'delete', 'configmap', 'sallyport-policy-candidate']);
    await until('records without it', () => {
      const last = called.all().at(-1);
      return last !== undefined && last.sallyport.candidate === undefined;
    });
  });

  await stage('another policy', async () => {
    const before = await revisionsOf(cluster, namespace);
    await cluster.apply(namespace, policy(`${REGO}\nanother := true\n`));
    await until('its revision', async () => {
      return (await revisionsOf(cluster, namespace)).every((each) => each !== undefined && !before.includes(each));
    });
  });

  await stage('the authority is restarted', () => restart(installed.namespace, 'statefulset/sallyport-authority'));
  await stage('the API server is away', async () => {
    const [injector] = await cluster.pods(installed.namespace, 'app.kubernetes.io/component=injector');
    await withoutApiServer(async () => {
      await pause(OUTAGE_MS);
      assert.equal((await fetch(`http://${injector?.status.podIP}:8080/readyz`)).status, 200);
    });
  });
  await stage('the agent is restarted', () => restart(namespace, 'deployment/weather'));

  await stage('a pod is deleted, and goes within its grace', async () => {
    const [pod] = await cluster.pods(namespace, 'app=weather');
    const { name } = pod?.metadata ?? { name: '' };
    await cluster.kubectl(['-n', namespace, 'delete', 'pod', name, '--timeout=12s']);
    await cluster.rolledOut(namespace, 'deployment/weather');
  });

  // Restarts authority and injectors too, these one after the other.
  await stage('the chart is upgraded, and the agent gets the next sidecar', async () => {
    await installed.upgrade(values('sallyportNext'));
    await restart(namespace, 'deployment/weather');
    const pods = await cluster.pods(namespace, 'app=weather');
    assert.match(JSON.stringify(pods.map(({ spec }) => spec['initContainers'])), /sallyport:next/);
  });

  await stage('and is rolled back', async () => {
    await cluster.helm(['rollback', 'sallyport', '-n', installed.namespace, '--wait', '--timeout', '120s']);
  });

  await context.test('certificates were renewed meanwhile', async () => {
    const identities = calling.log().filter((line) => line.includes('"identity in force"'));
    assert.ok(identities.length >= 2, calling.log().join('\n'));
  });

  await context.test('each call has a record on both sides', async () => {
    const { http, grpc } = await load.finish();
    await until('the last records', () => calling.all().length >= http + grpc && called.all().length >= http + grpc);
    const made = calling.all();
    const met = called.all();
    assert.deepEqual([made.length, met.length], [http + grpc, http + grpc]);
    assert.deepEqual(new Set(met.map(({ trace_id }) => trace_id)), new Set(made.map(({ trace_id }) => trace_id)));
  });

  await context.test('the webhook was there all the time, failed closed and had a root', () => {
    assert.ok(webhook.looks() > 100);
    assert.deepEqual(webhook.faults(), []);
  });
});

const REGO = `package sallyport.authz

default decision := false

decision if input.sallyport.direction == "outbound"

decision if endswith(input.sallyport.peer.spiffe_id, "/sa/planner")
`;

const NOTHING = `package sallyport.authz

default decision := false
`;

function values(image: 'sallyport' | 'sallyportNext'): Values {
  const [repository = '', tag = ''] = theCluster().images[image].split(/:(?=[^:/]*$)/);
  return {
    image: { repository, tag },
    authority: { config: { lifetimes: { leaf: '120s' } } },
    sidecar: { outbound: { capture: 'declared' }, metrics: true },
  };
}

/** An agent of two containers, twice. */
function weather(cluster: Cluster): readonly object[] {
  const container = (name: string, program: string, port: number) => ({
    name,
    image: cluster.images.node,
    command: ['node', `${CLONE}/examples/${program}/server.ts`, String(port)],
    ports: [{ containerPort: port, name }],
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
    volumeMounts: [{ name: 'clone', mountPath: CLONE, readOnly: true }],
  });
  const containers = [container('http', 'http-agent', 8080), container('grpc', 'grpc-agent', 8081)];
  const ports = ['http', 'grpc'].map((name, index) => ({ name, port: 80 + index, targetPort: name }));
  return [
    ...workload(cluster, { name: 'weather', args: [], replicas: 2, pod: { containers } }),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'weather' }, spec: { selector: { app: 'weather' }, ports } },
  ];
}

/** One that calls both containers all the time. */
function planner(cluster: Cluster, namespace: string): readonly object[] {
  const id = `spiffe://cluster.local/ns/${namespace}/sa/weather`;
  const host = `weather.${namespace}.svc`;
  return [
    ...workload(cluster, {
      name: 'planner',
      args: [`${CLONE}/test/kube/programs/steady-load.ts`, `http://${host}/reports/weekly`, `${host}:81`, EVERY_MS],
      annotations: { 'sallyport.dev/destinations': JSON.stringify({ [`${host}:80`]: { id }, [`${host}:81`]: { id } }) },
    }),
  ];
}

type LoadLine = { readonly failure?: string; readonly done?: { readonly http: number; readonly grpc: number } };

function loadOf(cluster: Cluster, namespace: string) {
  const place = { namespace, pod: 'deployment/planner', container: 'agent' };
  let seen = 0;
  const lines = async (): Promise<readonly LoadLine[]> => {
    const text = await cluster.logs(place);
    // The last line may be on its way.
    return text
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as LoadLine);
  };
  return {
    /** Those since the last question. */
    async newFailures() {
      const all = (await lines()).filter(({ failure }) => failure !== undefined);
      const fresh = all.slice(seen);
      seen = all.length;
      return fresh.slice(0, SHOWN);
    },
    /** Time for what went wrong to show. */
    moreCalls: () => pause(2_000),
    async finish() {
      await cluster.exec(place, ['node', '-e', 'process.kill(1, "SIGUSR2")']);
      return until('the load to end', async () => (await lines()).find(({ done }) => done !== undefined)?.done);
    },
  };
}

/** Revisions of the policies in force, of each pod of the agent. */
async function revisionsOf(cluster: Cluster, namespace: string): Promise<readonly (string | undefined)[]> {
  const pods = await cluster.pods(namespace, 'app=weather');
  return Promise.all(
    pods.map(async ({ status }) => {
      const metrics = await (await fetch(`http://${status.podIP}:15000/metrics`)).text();
      return /^sallyport_policy_info\{.*revision="([^"]*)"/m.exec(metrics)?.[1];
    }),
  );
}

type Webhooks = {
  readonly webhooks?: readonly {
    readonly failurePolicy: string;
    readonly clientConfig: { readonly caBundle?: string };
  }[];
};

/** Looks at the webhook's configuration again and again. */
function watchWebhook(cluster: Cluster, context: TestContext) {
  const faults: string[] = [];
  let looks = 0;
  const stopped = new AbortController();
  const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/sallyport';
  const look = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const { status, json } = await callApi(cluster.api, { path });
      const all = (json as Webhooks).webhooks ?? [];
      const isWhole = all.length === 1 && all.every((one) => one.failurePolicy === 'Fail' && one.clientConfig.caBundle);
      looks += 1;
      if (status !== 200 || !isWhole) faults.push(`${status} ${JSON.stringify(all)}`);
      await pause(250, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  };
  const looking = look();
  context.after(async () => {
    stopped.abort();
    await looking;
  });
  return { faults: () => faults, looks: () => looks };
}
