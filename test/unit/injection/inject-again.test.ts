import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { parse } from 'yaml';

import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import { seenAgain } from './api-server.ts';
import { FACTS, NAMESPACE, SETTINGS, agentPod } from './pods.ts';

import type { InjectionFacts, InjectionSettings } from '../../../src/core/model/injection.ts';

type Json = Readonly<Record<string, unknown>>;
type Shape = { readonly pod: Json; readonly settings?: Partial<InjectionSettings>; readonly roots?: string };

const FOLDER = join(import.meta.dirname, 'golden');

function injected(pod: unknown, settings: InjectionSettings = SETTINGS, facts: InjectionFacts = FACTS) {
  const injection = injectPod({ pod, namespace: NAMESPACE }, settings, facts);
  assert.ok(injection.ok, JSON.stringify(injection));
  assert.equal(injection.value.kind, 'injected');
  return injection.value;
}

function containers(pod: Json, key = 'containers'): readonly Json[] {
  return (pod['spec'] as Json)[key] as readonly Json[];
}

function changed(pod: Json, name: string, change: (container: Json) => Json): Json {
  const spec = pod['spec'] as Json;
  const lists = ['containers', 'initContainers'].map((key) => [
    key,
    ((spec[key] ?? []) as readonly Json[]).map((one) => (one['name'] === name ? change(one) : one)),
  ]);
  return { ...pod, spec: { ...spec, ...(Object.fromEntries(lists) as Json) } };
}

describe('the API server calls twice', () => {
  for (const file of readdirSync(FOLDER).filter((name) => !name.endsWith('.injected.yaml'))) {
    const shape = parse(readFileSync(join(FOLDER, file), 'utf8')) as Shape;
    const settings = { ...SETTINGS, ...shape.settings };
    const facts = { ...FACTS, roots: shape.roots ?? FACTS.roots };
    const first = injectPod({ pod: seenAgain(shape.pod), namespace: NAMESPACE }, settings, facts);
    if (!first.ok || first.value.kind === 'skipped') continue;
    const { pod } = first.value;
    test(`${file}: the second call changes nothing`, () => {
      assert.deepEqual(injected(pod, settings, facts).patch, []);
    });
    test(`${file}: nor after the API server filled in its defaults and its own plugins ran`, () => {
      assert.deepEqual(injected(seenAgain(pod), settings, facts).patch, []);
    });
  }

  test('decimal amounts are written as the API server stores them', () => {
    const resources = { requests: { cpu: '0.5', memory: '1024Mi' }, limits: { memory: '2.5Gi' } };
    const [, sidecar] = containers(injected(agentPod(), { ...SETTINGS, resources }).pod, 'initContainers');
    assert.deepEqual(sidecar?.['resources'], {
      requests: { cpu: '500m', memory: '1Gi' },
      limits: { memory: '2560Mi' },
    });
  });

  test('our containers get no token for the API server', () => {
    const again = seenAgain(injected(seenAgain(agentPod())).pod);
    for (const one of containers(again, 'initContainers')) {
      const mounts = one['volumeMounts'] as readonly Json[];
      assert.ok(!mounts.some((mount) => String(mount['name']).startsWith('kube-api-access')), String(one['name']));
    }
  });
});

describe('a pod that others changed between two calls', () => {
  const first = injected(seenAgain(agentPod({ terminationGracePeriodSeconds: 60 }))).pod;

  test('a container that was put in front of the sidecar goes behind it', () => {
    const spec = first['spec'] as Json;
    const initContainers = [{ name: 'other', image: 'other:1' }, ...containers(first, 'initContainers')];
    const again = injected({ ...first, spec: { ...spec, initContainers } });
    assert.deepEqual(
      containers(again.pod, 'initContainers').map((one) => one['name']),
      ['sallyport-redirect', 'sallyport', 'other'],
    );
  });

  test('a probe that was added goes through the sidecar, and those that did already are asked as before', () => {
    const probe = { httpGet: { path: '/added', port: 8080 } };
    const again = injected(changed(first, 'agent', (one) => ({ ...one, livenessProbe: probe })));
    assert.deepEqual(containers(again.pod)[0]?.['livenessProbe'], {
      httpGet: { path: '/probe/agent/liveness', port: 15_020, scheme: 'HTTP' },
    });
  });

  test('pauses that were changed in a rewritten probe stay, and its own question comes back', () => {
    const probed = agentPod({ containers: [{ name: 'agent', readinessProbe: { tcpSocket: { port: 8080 } } }] });
    const before = injected(probed).pod;
    const slower = changed(before, 'agent', (one) => ({
      ...one,
      readinessProbe: { ...(one['readinessProbe'] as Json), periodSeconds: 7 },
    }));
    const again = injected(slower);
    assert.deepEqual(again.patch, []);
    assert.match(sidecarText(again.pod), /"agent\/readiness":\{"tcp":\{"port":8080\}/);
  });

  test('the command of the sidecar cannot be changed by somebody who keeps its name', () => {
    const mine = changed(first, 'sallyport', (one) => ({ ...one, command: ['/bin/true'] }));
    const injection = injectPod({ pod: mine, namespace: NAMESPACE }, SETTINGS, FACTS);
    assert.ok(!injection.ok);
    assert.deepEqual(
      injection.error.map(({ kind, path }) => ({ kind, path })),
      [{ kind: 'name_taken', path: 'spec.initContainers[0].name' }],
    );
  });

  test('whatever else is changed in the sidecar is undone', () => {
    const weakened = changed(first, 'sallyport', (one) => ({
      ...one,
      image: 'mine:1',
      env: [
        { name: 'SALLYPORT_CONFIG', value: '{}' },
        { name: 'NODE_OPTIONS', value: '--require=/tmp/x' },
      ],
      securityContext: { runAsUser: 0 },
      volumeMounts: [{ name: 'mine', mountPath: '/app' }],
    }));
    assert.deepEqual(injected(weakened).pod, first);
  });

  test('amounts of a LimitRange and Always of AlwaysPullImages stay, or the pod would be refused for them', () => {
    const limited = changed(first, 'sallyport', (one) => ({
      ...one,
      imagePullPolicy: 'Always',
      resources: { limits: { cpu: '500m', memory: '1Mi' }, requests: { cpu: '50m', memory: '96Mi' } },
    }));
    const [, sidecar] = containers(injected(limited).pod, 'initContainers');
    assert.equal(sidecar?.['imagePullPolicy'], 'Always');
    assert.deepEqual(sidecar['resources'], {
      limits: { cpu: '500m', memory: '384Mi' },
      requests: { cpu: '50m', memory: '96Mi' },
    });
  });

  test('a volume of another kind under our name is refused', () => {
    const spec = first['spec'] as Json;
    const volumes = (spec['volumes'] as readonly Json[]).map((one) =>
      one['name'] === 'sallyport-run' ? { name: 'sallyport-run', hostPath: { path: '/srv' } } : one,
    );
    const injection = injectPod(
      { pod: { ...first, spec: { ...spec, volumes } }, namespace: NAMESPACE },
      SETTINGS,
      FACTS,
    );
    assert.ok(!injection.ok);
    assert.deepEqual(
      injection.error.map(({ kind }) => kind),
      ['volume_taken'],
    );
  });
});

describe('a pod that is made of the text of a running one', () => {
  test('gets the sidecar of today, as if it were new', () => {
    const old = injected(agentPod(), { ...SETTINGS, capture: 'plain', image: 'old:1', drainDelay: 9_000 }).pod;
    const [then, now] = [injected(agentPod()).pod, injected(old).pod];
    assert.deepEqual(now['spec'], { ...(then['spec'] as Json) });
  });

  test('without the mark of an injection our names are not ours', () => {
    const { metadata: _, ...rest } = injected(agentPod()).pod;
    const injection = injectPod({ pod: rest, namespace: NAMESPACE }, SETTINGS, FACTS);
    assert.ok(!injection.ok);
    assert.ok(
      injection.error.some(({ kind, path }) => kind === 'name_taken' && path === 'spec.initContainers[1].name'),
    );
    assert.ok(injection.error.some(({ kind, path }) => kind === 'volume_taken' && path === 'spec.volumes[0].name'));
  });

  for (const text of ['', '[]', '{}', '{"containers":[]}', '{"containers":{},"containers":{}}', '{'.repeat(200)]) {
    test(`what to put back cannot be ${JSON.stringify(text.slice(0, 40))}`, () => {
      const pod = agentPod({}, { annotations: { 'sallyport.dev/original': text } });
      const injection = injectPod({ pod, namespace: NAMESPACE }, SETTINGS, FACTS);
      assert.ok(!injection.ok);
      assert.deepEqual(
        injection.error.map(({ kind }) => kind),
        ['annotation_malformed'],
      );
    });
  }

  test('what to put back is passed over where it is nonsense, and never reaches further than what an injection changes', () => {
    const original = {
      containers: {
        agent: {
          probes: { env: { x: {} }, readinessProbe: 7 },
          ports: { 8080: 5 },
          lifecycle: { postStart: {} },
          image: 'x',
        },
        ghost: 5,
      },
      grace: { was: 1, is: 'x' },
    };
    const pod = agentPod({}, { annotations: { 'sallyport.dev/original': JSON.stringify(original) } });
    assert.deepEqual(injected(pod).pod, injected(agentPod()).pod);
  });
});

function sidecarText(pod: Json): string {
  const sidecar = containers(pod, 'initContainers').find((one) => one['name'] === 'sallyport');
  const env = (sidecar?.['env'] ?? []) as readonly Json[];
  return String(env.find((one) => one['name'] === 'SALLYPORT_CONFIG')?.['value']);
}
