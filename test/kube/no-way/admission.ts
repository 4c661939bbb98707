import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { until } from '../../support/until.ts';
import { podTemplate, PROGRAMS } from '../agents.ts';
import type { Cluster } from '../cluster.ts';
import { askApi, callApi } from '../kube-api.ts';
import type { CommandResult } from '../kube-tools.ts';
import { SIDECAR_USER, type Guarded, type Rooms } from './rooms.ts';

type Spec = Readonly<Record<string, unknown>>;
type Pod = {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Spec & { readonly containers: readonly Spec[]; readonly initContainers?: readonly Spec[] };
};
type Case = readonly [title: string, pod: Pod, said: RegExp];

/** Pods that would weaken their sidecar do not come to be, and their owners are told why. */
export async function nobodyWeakensIt(context: TestContext, rooms: Rooms, guarded: Guarded): Promise<void> {
  const { cluster } = rooms;
  const { namespace } = guarded;
  const base = bare(cluster);

  for (const [title, pod, said] of cases(base, cluster))
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await context.test(`refused: ${title}`, async () => {
      const { code, stderr } = await create(cluster, namespace, pod);
      assert.notEqual(code, 0);
      assert.match(stderr, said);
    });

  await context.test('a Deployment hears of it by the event of its ReplicaSet', async () => {
    const template = withSpec(base, { hostNetwork: true });
    const labels = { app: 'unfit' };
    const spec = { selector: { matchLabels: labels }, template: { ...template, metadata: { labels } } };
    await cluster.apply(namespace, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'unfit' }, spec });
    const events = ['-n', namespace, 'get', 'events', '--field-selector', 'reason=FailedCreate', '-o', 'yaml'];
    const told = /spec\.hostNetwork: in the node's network\s+the sidecar\s+could\s+close\s+nothing/;
    await until('the event', async () => told.test(await cluster.kubectl(events)));
    assert.deepEqual(await cluster.pods(namespace, 'app=unfit'), []);
  });

  await context.test('a pod that claims to be injected gets our sidecar all the same', async () => {
    await forged(rooms, guarded);
  });

  await context.test('without the webhook there is no pod, rather than one without a sidecar', async () => {
    await withoutWebhook(rooms, namespace, base);
  });
}

function cases(base: Pod, cluster: Cluster): readonly Case[] {
  const image = cluster.images.node;
  const contained = (context: Spec): Pod => withContainer(base, { securityContext: context });
  const annotated = (name: string, value: string): Pod => ({
    ...base,
    metadata: { ...base.metadata, annotations: { [`sallyport.dev/${name}`]: value } },
  });
  const token = { serviceAccountToken: { audience: 'sallyport', path: 'token' } };
  const sidecar = {
    name: 'sallyport',
    image: cluster.images.sallyport,
    restartPolicy: 'Always',
    command: ['sleep', '1'],
  };
  return [
    ['hostNetwork', withSpec(base, { hostNetwork: true }), /- spec\.hostNetwork: in the node's network/],
    ['hostPID', withSpec(base, { hostPID: true }), /- spec\.hostPID: processes of the node's namespace/],
    [
      'shareProcessNamespace',
      withSpec(base, { shareProcessNamespace: true }),
      /- spec\.shareProcessNamespace: every container/,
    ],
    [
      'our user',
      contained({ runAsUser: SIDECAR_USER }),
      /- spec\.containers\[0\]\.securityContext\.runAsUser: user 61337 is/,
    ],
    [
      'our user, for the whole pod',
      withSpec(base, { securityContext: { runAsUser: SIDECAR_USER } }),
      /- spec\.securityContext\.runAsUser: user 61337 is the sidecar's/,
    ],
    [
      'a privileged container',
      contained({ privileged: true }),
      /securityContext\.privileged: a privileged container could/,
    ],
    [
      'NET_ADMIN',
      contained({ capabilities: { add: ['NET_ADMIN'] } }),
      /capabilities\.add\[0\]: a container with NET_ADMIN/,
    ],
    [
      'our name',
      withContainer(base, { name: 'sallyport' }),
      /- spec\.containers\[0\]\.name: sallyport is the name of an/,
    ],
    [
      'a sidecar of its own under our name',
      withSpec(base, { initContainers: [sidecar] }),
      /- spec\.initContainers\[0\]\.name: sallyport is the name of an/,
    ],
    [
      'our volume',
      withContainer(base, { volumeMounts: [{ name: 'sallyport-token', mountPath: '/stolen' }] }),
      /volumeMounts\[0\]: volume sallyport-token is the sidecar's alone/,
    ],
    [
      'a token like ours',
      withSpec(base, { volumes: [{ name: 'own', projected: { sources: [token] } }] }),
      /serviceAccountToken: a token for sallyport gives out the identity that only the sidecar may use/,
    ],
    [
      'shadow mode',
      annotated('mode', 'shadow'),
      /annotations\[sallyport\.dev\/mode\]: the platform does not let pods say this/,
    ],
    [
      'a port left open',
      annotated('exclude-ports', '9090'),
      /sallyport\.dev\/exclude-ports\]: the platform does not let pods/,
    ],
    [
      'another policy',
      annotated('policy', 'https://evil.example/p'),
      /sallyport\.dev\/policy\]: the platform does not let/,
    ],
    [
      'an unknown annotation',
      annotated('exclude-port', '9090'),
      /no such annotation; did you mean sallyport\.dev\/exclude-ports\?/,
    ],
    [
      'no sidecar, by the label',
      { ...base, metadata: { ...base.metadata, labels: { 'sallyport.dev/inject': 'disabled' } } },
      /sallyport\.dev\/inject\]: /,
    ],
    [
      'all that is wrong with it at once',
      withSpec(withContainer(base, { image, securityContext: { runAsUser: SIDECAR_USER } }), { hostNetwork: true }),
      /- spec\.hostNetwork: [^\n]*\n(?:.*\n)*- spec\.containers\[0\]\.securityContext\.runAsUser: /,
    ],
  ];
}

/** A copy of an injected pod, marks and all, whose sidecar was told something else; and one whose sidecar is another program. */
async function forged({ cluster }: Rooms, { namespace, pod }: Guarded): Promise<void> {
  const { metadata, spec } = pod as unknown as Pod;
  const { nodeName: _, ...free } = spec;
  const { labels = {}, annotations = {} } = metadata;
  const copy = { metadata: { name: 'forged', labels, annotations }, spec: free as Pod['spec'] };
  const changed = (change: Spec): Pod => ({
    ...copy,
    spec: {
      ...copy.spec,
      initContainers: (spec.initContainers ?? []).map((one) =>
        one['name'] === 'sallyport' ? { ...one, ...change } : one,
      ),
    },
  });
  const env = [{ name: 'SALLYPORT_CONFIG', value: '{"forged":true}' }];
  const made = await create(cluster, namespace, changed({ env }), ['-o', 'json']);
  assert.equal(made.code, 0, made.stderr);
  assert.doesNotMatch(made.stdout, /forged":true|forged\\":true/);
  const { spec: came } = JSON.parse(made.stdout) as Pod;
  assert.deepEqual(came.initContainers, spec.initContainers);
  const other = await create(cluster, namespace, changed({ image: cluster.images.busybox }), ['-o', 'json']);
  assert.equal(other.code, 0, other.stderr);
  assert.deepEqual((JSON.parse(other.stdout) as Pod).spec.initContainers, spec.initContainers);
  const command = await create(cluster, namespace, changed({ command: ['sleep', '1'] }));
  assert.match(command.stderr, /sallyport is the name of an injected container/);
}

type Configuration = { readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string } };

async function withoutWebhook({ cluster, system }: Rooms, namespace: string, base: Pod): Promise<void> {
  const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
  const list = (await askApi(cluster.api, { path })) as { readonly items: readonly Configuration[] };
  const own = list.items.find(({ metadata }) => metadata.name.startsWith('sallyport'));
  assert.ok(own !== undefined, system);
  const { metadata, ...rest } = own;
  await callApi(cluster.api, { method: 'DELETE', path: `${path}/${metadata.name}` });
  try {
    await until('the webhook to be forgotten', async () => {
      const { stderr } = await create(cluster, namespace, base);
      return /the pod came out of the admission without its sidecar/.test(stderr);
    });
  } finally {
    const { name, labels, annotations } = metadata;
    await askApi(cluster.api, { method: 'POST', path, body: { ...rest, metadata: { name, labels, annotations } } });
  }
  await until('the webhook to be there again', async () => (await create(cluster, namespace, base)).code === 0);
}

function bare(cluster: Cluster): Pod {
  const { spec } = podTemplate(cluster, { name: 'default', args: PROGRAMS.idle });
  return { metadata: { name: 'weak' }, spec };
}

function withSpec(pod: Pod, change: Spec): Pod {
  return { ...pod, spec: { ...pod.spec, ...change } };
}

function withContainer(pod: Pod, change: Spec): Pod {
  return { ...pod, spec: { ...pod.spec, containers: pod.spec.containers.map((one) => ({ ...one, ...change })) } };
}

/** As it would be made, admission and all, without being kept. */
function create(cluster: Cluster, namespace: string, pod: Pod, more: readonly string[] = []): Promise<CommandResult> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', ...pod });
  return cluster.tryKubectl(['-n', namespace, 'create', '--dry-run=server', '-f', '-', ...more], { input });
}
