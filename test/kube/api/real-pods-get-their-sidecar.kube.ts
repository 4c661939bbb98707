import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { parse } from 'yaml';

import { refusalMessage } from '../../../src/core/injection/admission-answer.ts';
import { REDIRECT, SIDECAR } from '../../../src/core/injection/names.ts';
import { FACTS, SETTINGS, agentPod, annotated } from '../../unit/injection/pods.ts';
import { until } from '../../support/until.ts';
import {
  DEFAULT,
  DRY,
  ON,
  REAL,
  STRICT,
  assertInjected,
  create,
  created,
  known,
  message,
  ours,
  startInjectionWorld,
  type Json,
  type Labels,
  type Pod,
  type World,
} from '../injection-world.ts';

import type { InjectionRefusal, InjectionSettings } from '../../../src/core/model/injection.ts';
import type { ApiServer } from '../api-server.ts';
import type { ApiAnswer, KubeObject } from '../kube-api.ts';

/** A golden input of the unit tests of the injection, and what came out of it there. */
type Shape = {
  readonly name: string;
  readonly about: string;
  readonly namespace: { readonly name: string; readonly labels: Labels };
  readonly settings: Partial<InjectionSettings>;
  readonly roots: string;
  readonly pod: Json;
  readonly golden: { readonly refused: readonly InjectionRefusal[] } | { readonly pod: Pod };
};

const GOLDEN = join(import.meta.dirname, '../../unit/injection/golden');

/** Without what only an API server says. */
function asWritten(pod: Pod): Json {
  const { uid: _uid, creationTimestamp: _at, managedFields: _by, generation: _of, ...metadata } = pod.metadata;
  const { apiVersion, kind } = pod as Json;
  return { apiVersion, kind, metadata, spec: pod.spec };
}

/** The API server hands on all of a refusal; it sorts annotations, so that lines about them may be in another order. */
function assertRefused(answer: ApiAnswer, text: string): void {
  assert.equal(answer.status, 403, JSON.stringify(answer.json).slice(0, 4_000));
  const expected = `admission webhook "inject.sallyport.dev" denied the request: ${text}`;
  assert.deepEqual(message(answer).split('\n').toSorted(), expected.split('\n').toSorted());
}

function shapes(): readonly Shape[] {
  const names = readdirSync(GOLDEN).filter((file) => file.endsWith('.injected.yaml'));
  return names.map((file) => {
    const name = file.slice(0, -'.injected.yaml'.length);
    const read = (ending: string): unknown => parse(readFileSync(join(GOLDEN, `${name}${ending}`), 'utf8'));
    const shape = { namespace: { name: 'agents', labels: {} }, settings: {}, roots: FACTS.roots };
    return { ...shape, ...(read('.yaml') as object), name, golden: read('.injected.yaml') } as Shape;
  });
}

/** The pod of a shape is taken as it was made, and a second time as it came back. */
async function assertTaken({ kube }: World, { name, settings, pod, golden }: Shape): Promise<void> {
  assert.ok('pod' in golden);
  const parts = settings.capture === 'plain' ? [SIDECAR] : [REDIRECT, SIDECAR];
  const first = await created(kube, pod, DRY);
  assertInjected(first, name, parts);
  // Nothing of ours was changed or left away on its way through the API server's types and defaults.
  assert.deepEqual(opened(ours(first)), opened(ours(golden.pod)), name);
  const again = await created(kube, asWritten(first), DRY);
  assert.deepEqual(asWritten(again), asWritten(first), name);
}

/** As the golden files show our containers: with the JSON in their variables opened. */
function opened(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_key, inner: unknown) =>
    typeof inner === 'string' && inner.startsWith('{"') ? { json: JSON.parse(inner) as unknown } : inner,
  );
}

test('every shape of pod that users have is taken with its sidecar, or refused with all our reasons', async (context) => {
  const world = await startInjectionWorld(context);
  await world.kube.createNamespace('strict', { ...ON, ...STRICT });
  const all = shapes();
  assert.ok(all.length >= 16, String(all.length));
  for (const shape of all)
    await context.test(`${shape.name}: ${shape.about}`, async () => {
      const { namespace, settings, roots, pod, golden } = shape;
      world.tell(known(settings, roots));
      if ('refused' in golden) return assertRefused(await create(world.kube, pod, DRY), refusalMessage(golden.refused));
      if (namespace.name !== 'strict') return assertTaken(world, shape);
      // Pod security is asked after us, and is what our warning warned of.
      const answer = await create(world.kube, pod, DRY, 'strict');
      assert.equal(answer.status, 403);
      assert.match(message(answer), /violates PodSecurity "restricted:latest".*container "sallyport-redirect"/s);
    });
});

const one = (container: Json): Json => agentPod({ containers: [{ name: 'agent', image: 'agent:1', ...container }] });
const image = 'other:1';
const ports = Array.from({ length: 65 }, (_, index) => ({ containerPort: 8_000 + index }));
/** A pod for each reason, with the place that is told. The two that are left out have tests of their own: pods that are too large, an injector that is not ready. */
const REFUSED: Readonly<
  Record<Exclude<InjectionRefusal['kind'], 'pod_malformed' | 'not_ready'>, readonly [path: string, pod: Json]>
> = {
  host_namespace: ['spec.hostNetwork', agentPod({ hostNetwork: true })],
  shared_process_namespace: ['spec.shareProcessNamespace', agentPod({ shareProcessNamespace: true })],
  unsupported_os: ['spec.os.name', agentPod({ os: { name: 'windows' } })],
  uid_taken: ['spec.containers[0].securityContext.runAsUser', one({ securityContext: { runAsUser: SETTINGS.uid } })],
  privileged: ['spec.containers[0].securityContext.privileged', one({ securityContext: { privileged: true } })],
  name_taken: ['spec.initContainers[0].name', agentPod({ initContainers: [{ name: SIDECAR, image }] })],
  volume_taken: ['spec.volumes[0].name', agentPod({ volumes: [{ name: 'sallyport-run', emptyDir: {} }] })],
  port_taken: ['spec.containers[0].ports[0].containerPort', one({ ports: [{ containerPort: 15_001 }] })],
  ports_too_many: ['spec.containers', one({ ports })],
  other_mesh: ['spec.initContainers[0]', agentPod({ initContainers: [{ name: 'istio-init', image }] })],
  annotation_unknown: ['metadata.annotations[sallyport.dev/prots]', annotated({ prots: '80' })],
  annotation_malformed: ['metadata.annotations[sallyport.dev/log-level]', annotated({ 'log-level': 'loud' })],
  annotation_forbidden: ['metadata.annotations[sallyport.dev/mode]', annotated({ mode: 'shadow' })],
};

test('a refusal comes back with its place and its kind, and is counted by it', async (context) => {
  const { kube, tell, counted } = await startInjectionWorld(context);
  const cases = Object.entries(REFUSED);
  for (const [kind, [path, pod]] of cases) {
    const answer = await create(kube, pod, REAL);
    assert.equal(answer.status, 403, kind);
    const [first = '', line = '', ...rest] = message(answer).split('\n');
    assert.match(first, /^admission webhook "inject\.sallyport\.dev" denied the request: Sallyport lets this pod in/);
    assert.ok(line.startsWith(`- ${path}: `) && line.endsWith(` [${kind}]`), `${kind}: ${line}`);
    assert.deepEqual(rest, [], kind);
  }
  assert.deepEqual(await counted(), {
    refused: cases.length,
    ...Object.fromEntries(cases.map(([kind]) => [kind, 1])),
  });
  // What may be better in a moment is said to be so: controllers try again.
  tell({ ...DEFAULT, knowledge: { kind: 'unknown', why: 'no roots yet' } });
  const early = await create(kube, agentPod(), REAL);
  assert.deepEqual([early.status, message(early).includes('[not_ready]')], [503, true], JSON.stringify(early.json));
  assert.equal((await counted())['not_ready'], 1);
});

const TEMPLATE = {
  metadata: { labels: { app: 'agent' } },
  spec: { containers: [{ name: 'agent', image: 'agent:1', ports: [{ name: 'http', containerPort: 8080 }] }] },
};

/** As its controller makes a pod of `owner`: from the template, with a name of the API server's choice. */
function podOf(owner: KubeObject, apiVersion: string): Json {
  const { template } = owner['spec'] as { readonly template: { readonly metadata: Json; readonly spec: Json } };
  const { name, uid } = owner.metadata;
  const reference = { apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true };
  const metadata = { labels: template.metadata['labels'], generateName: `${name}-`, ownerReferences: [reference] };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: template.spec };
}

async function owner(kube: ApiServer, group: string, plural: string, spec: Json): Promise<KubeObject> {
  const path = `/apis/${group}/namespaces/agents/${plural}${REAL}`;
  const { status, json } = await kube.call({ method: 'POST', path, body: { metadata: { name: plural }, spec } });
  assert.equal(status, 201, JSON.stringify(json));
  return json as KubeObject;
}

test('pods, and those that controllers make from templates, are stored with a sidecar; the templates stay as they are', async (context) => {
  const { kube, counted } = await startInjectionWorld(context);
  assertInjected(await created(kube, agentPod(), REAL), 'a pod');
  const selector = { matchLabels: { app: 'agent' } };
  const job = { ...TEMPLATE, spec: { ...TEMPLATE.spec, restartPolicy: 'Never' } };
  const KINDS = [
    ['apps/v1', 'deployments', { selector, template: TEMPLATE }],
    ['apps/v1', 'replicasets', { selector, template: TEMPLATE }],
    ['batch/v1', 'jobs', { template: job }],
  ] as const;
  for (const [group, plural, spec] of KINDS) {
    const made = await owner(kube, group, plural, spec);
    assert.doesNotMatch(JSON.stringify(made), /sallyport/, plural);
    // A Deployment's pods are its ReplicaSet's.
    if (plural === 'deployments') continue;
    for (const which of ['first', 'second']) {
      const { metadata } = await created(kube, podOf(made, group), REAL);
      assert.match(metadata.name, new RegExp(`^${plural}-[a-z0-9]{5}$`), which);
      const stored = await kube.call({ path: `/api/v1/namespaces/agents/pods/${metadata.name}` });
      assertInjected(stored.json as Pod, `${which} of ${plural}`);
    }
  }
  // Five pods, each asked about once: the ServiceAccount admission finds nothing to add to our containers.
  assert.deepEqual(await counted(), { injected: 5 });
  await kube.createNamespace('others');
  const bare = agentPod({ serviceAccountName: 'default' }, { namespace: 'others' });
  assert.deepEqual(ours(await created(kube, bare, DRY, 'others')), []);
  assert.deepEqual(await counted(), { injected: 5 });
});

/** `count` containers of some 5,000 characters each. */
const large = (count: number): Json => {
  const env = [{ name: 'TEXT', value: 'x'.repeat(4_900) }];
  return agentPod({ containers: Array.from({ length: count }, (_, index) => ({ name: `c${index}`, image, env })) });
};

// That it is in time shows in the status: the API server says 500 of a webhook that is not.
test('a pod of more than a megabyte is refused beyond our bounds and taken within them, in time', async (context) => {
  const { kube, counted } = await startInjectionWorld(context);
  const CASES = [
    [320, /\n- the pod is larger than 1572864 characters; .*\[pod_malformed\]$/],
    [257, /\n- spec\.containers: .*\[pod_malformed\]$/],
  ] as const;
  for (const [count, said] of CASES) {
    const refused = await create(kube, large(count), DRY);
    assert.equal(refused.status, 403, JSON.stringify(refused.json).slice(0, 2_000));
    assert.match(message(refused), said);
  }
  assertInjected(await created(kube, large(256), DRY), '256 containers');
  assert.deepEqual(await counted(), { injected: 1, refused: 2, pod_malformed: 2 });
});

/** What another injector patches, in the policy language of the API server: first a label, and a container that serves once the sidecar is there. */
const LATE_PATCH = `
  !has(object.spec.initContainers)
    ? [JSONPatch{op: "add", path: "/metadata/labels/seen", value: "first"}]
    : object.spec.containers.exists(c, c.name == "late")
      ? []
      : [JSONPatch{op: "add", path: "/spec/containers/-", value: Object.spec.containers{
          name: "late", image: "late:1", ports: [Object.spec.containers.ports{containerPort: 9000}]}}]`;

/** It is asked again only because it changed something at first. */
const LATE_POLICY = {
  matchConstraints: {
    resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
  },
  failurePolicy: 'Fail',
  reinvocationPolicy: 'IfNeeded',
  mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: LATE_PATCH } }],
};

test('a container that other admission adds after us is guarded as well: the API server asks again', async (context) => {
  const { kube, counted } = await startInjectionWorld(context);
  const path = '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies';
  const metadata = { name: 'late' };
  const policy = await kube.call({ method: 'POST', path: `${path}${REAL}`, body: { metadata, spec: LATE_POLICY } });
  assert.equal(policy.status, 201, JSON.stringify(policy.json));
  const body = { metadata, spec: { policyName: 'late' } };
  const binding = await kube.call({ method: 'POST', path: path.replace('policies', 'policybindings'), body });
  assert.equal(binding.status, 201, JSON.stringify(binding.json));
  const pod = await until('the policy', async () => {
    const made = await created(kube, agentPod({}, { labels: { app: 'agent' } }), DRY);
    return made.spec.containers.some(({ name }) => name === 'late') && made;
  });
  assertInjected(pod, 'with a late container');
  const guarded = opened(ours(pod)[0]);
  assert.partialDeepStrictEqual(guarded, {
    env: [
      {
        value: {
          json: {
            inbound: [
              { port: 8080, to: 15_100 },
              { port: 9000, to: 15_101 },
            ],
          },
        },
      },
    ],
  });
  const before = (await counted())['injected'] ?? 0;
  await created(kube, agentPod({}, { labels: { app: 'agent' } }), REAL);
  assert.deepEqual(await counted(), { injected: before + 2 });
});

test('kubectl debug gets a container beside the sidecar, and none with its user or its powers', async (context) => {
  const { kube, counted } = await startInjectionWorld(context);
  await created(kube, agentPod(), REAL);
  const debug = async (name: string, container: Json): Promise<ApiAnswer> => {
    const spec = { ephemeralContainers: [{ name, image: 'busybox:1', ...container }] };
    const type = 'application/strategic-merge-patch+json';
    const path = `/api/v1/namespaces/agents/pods/agent/ephemeralcontainers${REAL}`;
    return kube.call({ method: 'PATCH', path, type, body: { spec } });
  };
  const place = 'spec.ephemeralContainers[0]';
  const CASES: readonly (readonly [kind: string, path: string, container: Json])[] = [
    ['uid_taken', 'securityContext.runAsUser', { securityContext: { runAsUser: SETTINGS.uid } }],
    ['shared_process_namespace', 'targetContainerName', { targetContainerName: SIDECAR }],
    ['volume_taken', 'volumeMounts[0]', { volumeMounts: [{ name: 'sallyport-run', mountPath: '/x' }] }],
  ];
  for (const [kind, path, container] of CASES) {
    const answer = await debug('bad', container);
    assert.equal(answer.status, 403, JSON.stringify(answer.json));
    const said = message(answer);
    assert.ok(said.startsWith('admission webhook "ephemeral.sallyport.dev" denied the request: '), said);
    assert.ok(said.includes(`- ${place}.${path}: `) && said.endsWith(`[${kind}]`), said);
  }
  const taken = await debug('good', { targetContainerName: 'agent', securityContext: { runAsUser: 1_000 } });
  assert.equal(taken.status, 200, JSON.stringify(taken.json));
  const before = await counted();
  const expected = Object.fromEntries(CASES.map(([kind]) => [kind, 1]));
  assert.deepEqual(before, { injected: 1, skipped: 1, refused: CASES.length, ...expected });

  // The command itself: its default profile asks for SYS_PTRACE.
  const command = ['debug', 'agent', '-n', 'agents', '--image=busybox:1', '--attach=false'];
  const general = await kube.tryKubectl([...command, '-c', 'general', '--profile=general']);
  assert.notEqual(general.code, 0);
  assert.match(general.stderr, /a container with SYS_PTRACE .*\[privileged\]/);
  await kube.kubectl([...command, '-c', 'baseline', '--profile=baseline']);
  const { json } = await kube.call({ path: '/api/v1/namespaces/agents/pods/agent' });
  assert.deepEqual(
    (json as Pod).spec.ephemeralContainers?.map(({ name }) => name),
    ['good', 'baseline'],
  );
  assertInjected(json as Pod, 'afterwards');
});
