import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../../support/until.ts';
import { CLONE, podTemplate, policy, PROGRAMS, type Agent } from '../agents.ts';
import { theCluster, type Cluster, type ContainerStatus, type PodOnNode } from '../cluster.ts';
import { install } from '../installed.ts';
import { processOfContainer } from '../node-processes.ts';

const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' };

test('the life of injected pods', async (context) => {
  const cluster = theCluster();
  const system = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'sallyport-system', labels: RESTRICTED } };
  await cluster.apply('default', system);
  // In a namespace that enforces `restricted`: what the chart brings keeps to it.
  const installed = await install(cluster, context);
  const namespace = await cluster.createNamespace(context, { 'sallyport.dev/inject': 'enabled' });
  await cluster.apply(namespace, policy(REGO));

  await context.test('a Job with a sidecar completes, and one of a CronJob', async () => {
    const template = once(cluster);
    const cron = { schedule: '0 0 1 1 *', jobTemplate: { spec: { template } } };
    await cluster.apply(namespace, job('once', template), {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'yearly' },
      spec: cron,
    });
    await cluster.kubectl(['-n', namespace, 'create', 'job', 'this-year', '--from=cronjob/yearly']);
    for (const name of ['once', 'this-year']) {
      await cluster.jobDone(namespace, name);
      const [pod] = await cluster.pods(namespace, `job-name=${name}`);
      assert.equal(pod?.metadata.labels?.['sallyport.dev/injected'], 'true');
      assert.equal(pod?.status.phase, 'Succeeded');
    }
  });

  await context.test('a StatefulSet with an init container, which finds the sidecar there, rolls', async () => {
    const reach = `require("net").connect(15001, "127.0.0.1").on("connect", () => process.exit(0))`;
    const init = { name: 'first', image: cluster.images.node, command: ['node', '-e', reach] };
    const agent = {
      ...agentOf('steady', 'http', 8080),
      pod: { initContainers: [init], serviceAccountName: 'default' },
    };
    await cluster.apply(namespace, {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'steady' },
      spec: {
        serviceName: 'steady',
        selector: { matchLabels: { app: 'steady' } },
        template: podTemplate(cluster, agent),
      },
    });
    await cluster.rolledOut(namespace, 'statefulset/steady');
    const before = (await cluster.pod(namespace, 'steady-0')).metadata;
    await cluster.kubectl(['-n', namespace, 'rollout', 'restart', 'statefulset/steady']);
    await cluster.rolledOut(namespace, 'statefulset/steady');
    const after = (await cluster.pod(namespace, 'steady-0')).metadata;
    assert.notDeepEqual(after, before);
    assert.equal(after.labels?.['sallyport.dev/injected'], 'true');
  });

  const mood = async (name: string, container: string, is: 'sick' | 'well'): Promise<void> => {
    const { code, stderr } = await cluster.exec({ namespace, pod: name, container }, [
      'sh',
      '-c',
      `echo ${is} > /tmp/mood`,
    ]);
    assert.equal(code, 0, stderr);
  };
  const statusOf = async (pod: string, container: string): Promise<ContainerStatus | undefined> =>
    (await cluster.pod(namespace, pod)).status.containerStatuses?.find(({ name }) => name === container);
  const untilReady = (pod: string, container: string, is: boolean) =>
    until(`${pod}/${container} ${is ? 'ready' : 'not ready'}`, async () => {
      return (await statusOf(pod, container))?.ready === is;
    });

  await context.test('probes of all four kinds tell how the agent is', async () => {
    await cluster.apply(namespace, probedPod(cluster));
    await cluster.podReady(namespace, 'probed');
    const probes = probesOf(await cluster.pod(namespace, 'probed'));
    assert.deepEqual(Object.fromEntries(Object.entries(probes).map(([name, { httpGet }]) => [name, httpGet?.path])), {
      http: '/probe/http/readiness',
      grpc: '/probe/grpc/readiness',
      tcp: '/probe/tcp/readiness',
      exec: undefined,
    });
    for (const container of Object.keys(PROBES)) {
      await mood('probed', container, 'sick');
      await untilReady('probed', container, false);
      await mood('probed', container, 'well');
      await untilReady('probed', container, true);
    }
  });

  await context.test('an agent that fails its liveness probe is restarted; its sidecar is not', async () => {
    const probe = { httpGet: { path: '/live', port: 8080 }, periodSeconds: 1, failureThreshold: 2 };
    await cluster.apply(namespace, pod('alive', podTemplate(cluster, moody('alive', { livenessProbe: probe })).spec));
    await cluster.podReady(namespace, 'alive');
    await mood('alive', 'agent', 'sick');
    await until('the restart', async () => (await statusOf('alive', 'agent'))?.restartCount === 1);
    await untilReady('alive', 'agent', true);
    assert.equal(sidecarOf(await cluster.pod(namespace, 'alive')).restartCount, 0);
  });

  await context.test('a startup probe holds the readiness back', async () => {
    const startupProbe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1, failureThreshold: 60 };
    const agent = moody('slow', { startupProbe }, 'sick');
    await cluster.apply(namespace, pod('slow', podTemplate(cluster, agent).spec));
    await until('it to run', async () => (await statusOf('slow', 'agent'))?.state['running'] !== undefined);
    assert.equal((await statusOf('slow', 'agent'))?.ready, false);
    await mood('slow', 'agent', 'well');
    await untilReady('slow', 'agent', true);
  });

  await context.test('a sidecar that is killed comes back with the identity it had; its agent stays', async () => {
    const place = { namespace, pod: 'alive', container: 'sallyport' };
    const before = await cluster.pod(namespace, 'alive');
    const identity = identityIn(await cluster.logs(place));
    process.kill(processOfContainer(String(sidecarOf(before).containerID)), 'SIGKILL');
    await until('the restart', async () => {
      const { restartCount, ready } = sidecarOf(await cluster.pod(namespace, 'alive'));
      return restartCount === 1 && ready;
    });
    assert.equal(identityIn(await cluster.logs(place)), identity);
    assert.equal((await statusOf('alive', 'agent'))?.restartCount, 1);
  });

  await context.test('a pod that says something wrong is refused, by name', async () => {
    const wrong = pod('wrong', podTemplate(cluster, moody('wrong', {})).spec, { 'sallyport.dev/port': '8080' });
    await assert.rejects(
      cluster.apply(namespace, wrong),
      /inject\.sallyport\.dev.*annotations\[sallyport\.dev\/port\]: no such annotation; did you mean sallyport\.dev\/ports/s,
    );
  });

  await context.test('plain capture: a namespace that enforces `restricted` takes injected pods', async () => {
    await installed.upgrade({ sidecar: { capture: 'plain' } });
    // One that ends still answers the API server for a while, as it was told before.
    await until('the injectors of before to be gone', async () => {
      return (await cluster.pods(installed.namespace, 'app.kubernetes.io/component=injector')).length === 2;
    });
    const strict = await cluster.createNamespace(context, { ...RESTRICTED, 'sallyport.dev/inject': 'enabled' });
    await cluster.apply(strict, policy(REGO), pod('strict', restrictedSpec(cluster)));
    await cluster.podReady(strict, 'strict');
    const { spec } = await cluster.pod(strict, 'strict');
    const names = (spec['initContainers'] as readonly { readonly name: string }[]).map(({ name }) => name);
    assert.deepEqual(names, ['sallyport']);
  });
});

const REGO = 'package sallyport.authz\ndefault decision := false\n';

const PROBES = {
  http: { httpGet: { path: '/ready', port: 8080 } },
  grpc: { grpc: { port: 8081 } },
  tcp: { tcpSocket: { port: 8082 } },
  exec: { exec: { command: ['sh', '-c', '[ "$(cat /tmp/mood)" != sick ]'] } },
} as const;

function agentOf(name: string, kind: string, port: number, mood = 'well'): Agent {
  const args = [`${CLONE}/test/kube/programs/moody-agent.ts`, kind, String(port), mood];
  return { name, args, ports: port === 0 ? [] : [{ containerPort: port }], pod: { serviceAccountName: 'default' } };
}

function moody(name: string, container: object, mood?: string): Agent {
  return { ...agentOf(name, 'http', 8080, mood), container };
}

function pod(name: string, spec: object, annotations: Readonly<Record<string, string>> = {}): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, annotations }, spec };
}

/** One pod with a container for each kind of probe. */
function probedPod(cluster: Cluster): object {
  const kinds = Object.entries(PROBES);
  const made = kinds.map(([kind, probe], index) => {
    const agent = agentOf('probed', kind, kind === 'exec' ? 0 : 8080 + index);
    const readinessProbe = { ...probe, periodSeconds: 1, failureThreshold: 1 };
    const { containers } = podTemplate(cluster, { ...agent, container: { name: kind, readinessProbe } }).spec;
    return containers;
  });
  return pod('probed', { ...podTemplate(cluster, agentOf('probed', 'none', 0)).spec, containers: made.flat() });
}

type Probe = { readonly httpGet?: { readonly path: string; readonly port: number } };

function probesOf({ spec }: PodOnNode): Readonly<Record<string, Probe>> {
  const containers = spec['containers'] as readonly { readonly name: string; readonly readinessProbe: Probe }[];
  return Object.fromEntries(containers.map(({ name, readinessProbe }) => [name, readinessProbe]));
}

function sidecarOf({ status }: PodOnNode): ContainerStatus & { readonly containerID?: string } {
  const found = status.initContainerStatuses?.find(({ name }) => name === 'sallyport');
  if (found === undefined) throw new Error('no sidecar');
  return found;
}

/** When the identity of a sidecar ends: another one ends at another time. */
function identityIn(log: string): string | undefined {
  return /"not_after":"([^"]*)".*"identity in force"/.exec(log)?.[1];
}

/** A pod's template that ends by itself. */
function once(cluster: Cluster): object {
  const container = { name: 'app', image: cluster.images.node, command: ['node', '-e', 'console.log("done")'] };
  return { spec: { restartPolicy: 'Never', containers: [container] } };
}

function job(name: string, template: object): object {
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec: { template } };
}

/** An agent that keeps to the profile `restricted` by itself. */
function restrictedSpec(cluster: Cluster): object {
  return {
    containers: [
      {
        name: 'agent',
        image: cluster.images.node,
        command: ['node', ...PROGRAMS.idle],
        ports: [{ containerPort: 8080 }],
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 1000,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
      },
    ],
  };
}
