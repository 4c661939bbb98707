import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import fc from 'fast-check';
import { parse } from 'yaml';

import { loadConfig } from '../../../src/core/config/config.ts';
import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import { readRedirectPlan } from '../../../src/core/injection/redirect-plan.ts';
import { FACTS, NAMESPACE, SETTINGS, agentPod } from './pods.ts';

import type { Config } from '../../../src/core/config/config.ts';
import type { InjectionSettings } from '../../../src/core/model/injection.ts';

type Json = Readonly<Record<string, unknown>>;

const FOLDER = join(import.meta.dirname, 'golden');

/** A variable of a container as its process sees it: `$(NAME)` is replaced, `$$` is `$` (Kubernetes: third_party/forked/golang/expansion). */
function atRunTime(pod: Json, container: string, variable: string): string | undefined {
  const containers = (pod['spec'] as Json)['initContainers'] as readonly Json[];
  const env = containers.find((one) => one['name'] === container)?.['env'] as readonly Json[] | undefined;
  const value = env?.find((one) => one['name'] === variable)?.['value'];
  if (typeof value !== 'string') return undefined;
  return value.replaceAll(/\$(\$|\(\w+\))/g, (_whole, next: string) =>
    next === '$' ? '$' : 'REPLACED BY THE KUBELET',
  );
}

function podOf(pod: unknown, settings: Partial<InjectionSettings> = {}, roots = FACTS.roots): Json {
  const injection = injectPod({ pod, namespace: NAMESPACE }, { ...SETTINGS, ...settings }, { ...FACTS, roots });
  assert.ok(injection.ok && injection.value.kind === 'injected', JSON.stringify(injection));
  return injection.value.pod;
}

function configOf(pod: unknown, settings: Partial<InjectionSettings> = {}, roots = FACTS.roots): Config {
  const text = atRunTime(podOf(pod, settings, roots), 'sallyport', 'SALLYPORT_CONFIG') ?? '';
  const loaded = loadConfig(text, { SALLYPORT_POD: 'agent-7', HOME: 'EXPANDED' });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.value;
}

const graceOf = (spec: Json, drainDelay: number) => {
  const pod = podOf(agentPod(spec), { drainDelay });
  const { terminationGracePeriodSeconds } = pod['spec'] as Json;
  return [terminationGracePeriodSeconds, configOf(agentPod(spec), { drainDelay }).shutdown.grace];
};

describe('the configuration of an injected sidecar is accepted by its schema', () => {
  for (const file of readdirSync(FOLDER).filter((name) => !name.endsWith('.injected.yaml'))) {
    const shape = parse(readFileSync(join(FOLDER, file), 'utf8')) as {
      pod: unknown;
      settings?: Partial<InjectionSettings>;
      roots?: string;
    };
    const refused = readFileSync(join(FOLDER, file.replace('.yaml', '.injected.yaml')), 'utf8').startsWith('refused');
    if (refused) continue;
    test(file, () => void configOf(shape.pod, shape.settings, shape.roots));
  }

  test('a policy from a registry, by the platform and by an annotation: what is no image is refused with the pod', () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    for (const url of ['oci://registry.example.org/team/policies:1', `oci://127.0.0.1:5000/p@${digest}`]) {
      const decision = 'envoy/authz/allow';
      const byPlatform = configOf(agentPod(), { policy: { source: 'bundle', url, decision } }).policy;
      const annotations = { 'sallyport.dev/policy': url, 'sallyport.dev/policy-decision': decision };
      const overrides = [...SETTINGS.overrides, 'policy'] as const;
      const byPod = configOf(agentPod({}, { annotations }), { overrides }).policy;
      assert.deepEqual(byPod, byPlatform);
      const { bundle, bundleServer } = byPod;
      assert.deepEqual([bundle.kind === 'oci' && bundle.url, byPod.decision], [url, decision]);
      assert.equal(bundleServer.persist, '/run/sallyport/policy');
    }
    const annotations = { 'sallyport.dev/policy': 'oci://registry.example.org/team/policies' };
    const refused = injectPod(
      { pod: agentPod({}, { annotations }), namespace: NAMESPACE },
      { ...SETTINGS, overrides: [...SETTINGS.overrides, 'policy'] },
      FACTS,
    );
    assert.match(JSON.stringify(refused), /oci:\/\/REGISTRY\/REPOSITORY:TAG/);
  });

  test('records are labelled with namespace and pod, and labels of the platform', () => {
    const extra = { labels: { cluster: 'north' } };
    assert.deepEqual(
      { ...configOf(agentPod(), { extra }).labels },
      { namespace: 'agents', pod: 'agent-7', cluster: 'north' },
    );
  });

  test('limits of the platform hold at every listener', () => {
    const config = configOf(agentPod(), { extra: { limits: { connections: 77 } } });
    assert.equal(config.inbound[0]?.limits.connections, 77);
    assert.equal(config.outbound[0]?.limits.connections, 77);
  });

  test('whatever a probe says arrives at the sidecar as it was said: no variable of pod or sidecar stands for it', () => {
    const hostile = fc.array(
      fc.constantFrom('$', '{', '}', '(', ')', '$$', '${HOME}', '$(HOME)', '$${HOME}', '"', '\\', 'a', '/', '€'),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(hostile, (parts) => {
        const path = `/${parts.join('')}`;
        const config = configOf(
          agentPod({ containers: [{ name: 'agent', livenessProbe: { httpGet: { path, port: 8080 } } }] }),
        );
        assert.equal(config.probes?.targets['agent/liveness']?.http?.path, path);
      }),
    );
  });
});

describe('what a pod is called and asked by', () => {
  test('protocols: by annotation of the port, then of the pod, then by the name of the port', () => {
    const ports = ['http-web', 'http2-api', 'grpc', 'h2c', 'tcp-db', 'https', 'tls-x', 'metrics'].map(
      (name, index) => ({ name, containerPort: index + 1 }),
    );
    const upstreams = (annotations: Readonly<Record<string, string>>) =>
      configOf(agentPod({ containers: [{ name: 'agent', ports }] }, { annotations })).inbound.map(
        ({ upstream }) => upstream.protocol,
      );
    assert.deepEqual(upstreams({}), ['http1', 'h2c', 'h2c', 'h2c', 'tcp', 'tcp', 'tcp', 'auto']);
    assert.deepEqual(
      upstreams({ 'sallyport.dev/protocol': 'grpc' }),
      Array.from({ length: 8 }, () => 'h2c'),
    );
    assert.deepEqual(upstreams({ 'sallyport.dev/protocol': 'grpc', 'sallyport.dev/ports': '1/tcp,2' }), ['tcp', 'h2c']);
  });

  test('drain longer than the grace of the agent: the grace of the pod grows by the pause, and the sidecar has all of it', () => {
    assert.deepEqual(graceOf({}, 5_000), [37, 37_000]);
    assert.deepEqual(graceOf({ terminationGracePeriodSeconds: 10 }, 1_200), [14, 14_000]);
    assert.deepEqual(graceOf({ terminationGracePeriodSeconds: 10 }, 0), [10, 10_000]);
    assert.deepEqual(graceOf({ terminationGracePeriodSeconds: 0 }, 5_000), [0, 0]);
    assert.deepEqual(graceOf({ terminationGracePeriodSeconds: 86_400 }, 5_000), [86_407, 3_600_000]);
  });

  test('the identity is that of namespace and service account, which is default where none is named', () => {
    const ids = [{}, { serviceAccountName: undefined }, { serviceAccountName: '', serviceAccount: 'old' }].map(
      (spec) => {
        const { identity } = configOf(agentPod(spec));
        return identity.source === 'authority' ? identity.authority.agent : '';
      },
    );
    assert.deepEqual(
      ids,
      ['researcher', 'default', 'old'].map((name) => `spiffe://example.org/ns/agents/sa/${name}`),
    );
  });

  test('the plan of the redirection is one that the init container reads', () => {
    const outbound = {
      ...SETTINGS.outbound,
      capture: 'declared',
      destinations: {
        'a.b': { address: 'a.b:8443', id: SETTINGS.identity.source === 'authority' ? SETTINGS.identity.id : [] },
      },
    } as const;
    const text = atRunTime(podOf(agentPod(), { outbound }), 'sallyport-redirect', 'SALLYPORT_REDIRECT') ?? '';
    const plan = readRedirectPlan(text);
    assert.ok(plan.ok);
    assert.deepEqual(plan.value, {
      uid: 61_337,
      inbound: [{ port: 8080, to: 15_100 }],
      open: [],
      probe: 15_020,
      metrics: 15_000,
      outbound: { capture: 'declared', ports: [80], to: 15_001, excludePorts: [], excludeCidrs: [] },
    });
  });
});
