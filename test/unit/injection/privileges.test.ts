import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import { applied } from './apply.ts';
import { FACTS, NAMESPACE, SETTINGS } from './pods.ts';

import type { InjectionSettings } from '../../../src/core/model/injection.ts';

type Json = Readonly<Record<string, unknown>>;
type Container = Json & { readonly name: string };

const OURS = ['sallyport', 'sallyport-redirect'];
/** All that an injection may change of a container that is not ours. */
const CHANGED = ['startupProbe', 'readinessProbe', 'livenessProbe', 'lifecycle', 'ports'];

const port = fc.integer({ min: 1, max: 9_999 });
const handler = fc.oneof(
  fc.record({
    httpGet: fc.record({ port, path: fc.constantFrom('/', '/live?x=${A}'), host: fc.constantFrom('', 'h') }),
  }),
  fc.record({ tcpSocket: fc.record({ port }) }),
  fc.record({ grpc: fc.record({ port }) }),
  fc.record({ exec: fc.record({ command: fc.constant(['/bin/true']) }) }),
);
const probe = fc
  .tuple(handler, fc.record({ periodSeconds: fc.nat(60), timeoutSeconds: fc.nat(60) }, { requiredKeys: [] }))
  .map(([one, times]) => ({ ...one, ...times }));
const context = fc.record(
  {
    runAsUser: fc.constantFrom(0, 1000),
    runAsNonRoot: fc.boolean(),
    readOnlyRootFilesystem: fc.boolean(),
    capabilities: fc.record({ add: fc.subarray(['CHOWN', 'NET_RAW']), drop: fc.subarray(['ALL', 'MKNOD']) }),
  },
  { requiredKeys: [] },
);
const container = fc.record(
  {
    image: fc.constantFrom('a:1', 'b:2'),
    env: fc.constant([{ name: 'A', value: '$(B)' }]),
    ports: fc
      .uniqueArray(port, { maxLength: 3 })
      .map((list) => list.map((containerPort) => ({ containerPort, name: `p${containerPort}` }))),
    startupProbe: probe,
    readinessProbe: probe,
    livenessProbe: probe,
    securityContext: context,
    lifecycle: fc.constantFrom({ preStop: { exec: { command: ['x'] } } }, { postStart: { exec: { command: ['y'] } } }),
    volumeMounts: fc.constant([{ name: 'data', mountPath: '/data' }]),
    resources: fc.constant({ limits: { cpu: '1' } }),
  },
  { requiredKeys: ['image'] },
);
const list = (prefix: string, min: number) =>
  fc
    .array(container, { minLength: min, maxLength: 3 })
    .map((all) => all.map((one, index) => ({ name: `${prefix}${index}`, ...one })));
const pod = fc
  .record({
    metadata: fc.record(
      { name: fc.constant('p'), labels: fc.constant({ app: 'x' }), annotations: fc.constant({ 'a/b': 'c' }) },
      { requiredKeys: [] },
    ),
    spec: fc.record(
      {
        containers: list('c', 1),
        initContainers: list('i', 0),
        volumes: fc.constant([{ name: 'data', emptyDir: {} }]),
        serviceAccountName: fc.constantFrom('a', 'b'),
        automountServiceAccountToken: fc.boolean(),
        securityContext: context,
        terminationGracePeriodSeconds: fc.nat(100),
        nodeSelector: fc.constant({ x: 'y' }),
      },
      { requiredKeys: ['containers'] },
    ),
  })
  // As JSON, which is what both sides of a patch are.
  .map((value) => JSON.parse(JSON.stringify(value)) as { metadata: Json; spec: Json });
const settings = fc
  .record({
    capture: fc.constantFrom('redirect' as const, 'plain' as const),
    drainDelay: fc.constantFrom(0, 3_000),
    metrics: fc.boolean(),
  })
  .map((some): InjectionSettings => ({ ...SETTINGS, ...some }));

const names = (value: unknown) => ((value ?? []) as readonly Container[]).map(({ name }) => name);

const portsOf = (spec: Json) =>
  (spec['containers'] as readonly Container[]).map((one) =>
    ((one['portsOf'] ?? []) as readonly Json[]).map(({ name, containerPort }) => ({ name, containerPort })),
  );

const probesOf = (spec: Json) =>
  (spec['containers'] as readonly Container[]).flatMap((one) =>
    ['startupProbe', 'readinessProbe', 'livenessProbe'].map((key) => one[key] as Json | undefined),
  );

/** Runs `check` over many pods, with what became of each. */
function always(
  check: (
    before: { metadata: Json; spec: Json },
    after: { metadata: Json; spec: Json },
    patch: readonly unknown[],
    by: InjectionSettings,
  ) => void,
): void {
  fc.assert(
    fc.property(pod, settings, (before, by) => {
      const injection = injectPod({ pod: before, namespace: NAMESPACE }, by, FACTS);
      assert.ok(injection.ok && injection.value.kind === 'injected', JSON.stringify(injection));
      check(before, injection.value.pod as { metadata: Json; spec: Json }, injection.value.patch, by);
    }),
    { numRuns: 200 },
  );
}

describe('an injection, whatever the pod', () => {
  test('is what an independent applier makes of the pod and the patch', () => {
    always((before, after, patch) => assert.deepEqual(applied(before, patch), after));
  });

  test('changes nothing the second time', () => {
    always((_before, after, _patch, by) => {
      const again = injectPod({ pod: after, namespace: NAMESPACE }, by, FACTS);
      assert.deepEqual(again.ok && again.value.kind === 'injected' ? again.value.patch : again, []);
    });
  });

  test('leaves the pod as it was given', () => {
    always((before) => assert.ok(!JSON.stringify(before).includes('sallyport')));
  });

  test('stands in front, and keeps the order of everything else', () => {
    always((before, after, _patch, by) => {
      const ours = by.capture === 'redirect' ? ['sallyport-redirect', 'sallyport'] : ['sallyport'];
      assert.deepEqual(names(after.spec['initContainers']), [...ours, ...names(before.spec['initContainers'])]);
      assert.deepEqual(names(after.spec['containers']), names(before.spec['containers']));
    });
  });

  test('never widens what the containers of the pod may do: only probes, hooks and names of ports are touched', () => {
    always((before, after) => {
      for (const key of ['containers', 'initContainers']) {
        const old = (before.spec[key] ?? []) as readonly Container[];
        const fresh = ((after.spec[key] ?? []) as readonly Container[]).filter(({ name }) => !OURS.includes(name));
        assert.deepEqual(
          fresh.map((one) => stripped(one)),
          old.map((one) => stripped(one)),
        );
      }
    });
  });

  test('touches nothing of the pod but its containers, volumes, grace and marks, and removes nothing', () => {
    always((before, after) => {
      const touched = ['containers', 'initContainers', 'volumes', 'terminationGracePeriodSeconds'];
      const rest = (spec: Json) => Object.fromEntries(Object.entries(spec).filter(([key]) => !touched.includes(key)));
      assert.deepEqual(rest(after.spec), rest(before.spec));
      const volumes = (after.spec['volumes'] as readonly Container[]).filter(
        ({ name }) => !name.startsWith('sallyport-'),
      );
      assert.deepEqual(volumes, before.spec['volumes'] ?? []);
      const grace = before.spec['terminationGracePeriodSeconds'];
      if (grace !== undefined) assert.ok(Number(after.spec['terminationGracePeriodSeconds']) >= Number(grace));
      for (const key of ['labels', 'annotations']) {
        const kept = Object.entries((after.metadata[key] ?? {}) as Json).filter(
          ([name]) => !name.startsWith('sallyport.dev/'),
        );
        assert.deepEqual(Object.fromEntries(kept), before.metadata[key] ?? {});
      }
    });
  });

  test('keeps ports and their numbers, takes names in plain capture only, and gives none away', () => {
    always((before, after, _patch, by) => {
      const expected = portsOf(before.spec).map((all) =>
        all.map((one) => (by.capture === 'plain' ? { ...one, name: undefined } : one)),
      );
      assert.deepEqual(portsOf(after.spec), expected);
    });
  });

  test('leaves the timing of probes alone, and exec and other hosts as they are', () => {
    always((before, after) => {
      const now = probesOf(after.spec);
      for (const [index, old] of probesOf(before.spec).entries()) {
        if (old === undefined) assert.equal(now[index], undefined);
        else {
          const isOwn = old['exec'] !== undefined || (old['httpGet'] as Json | undefined)?.['host'] === 'h';
          if (isOwn) assert.deepEqual(now[index], old);
          assert.equal(now[index]?.['periodSeconds'], old['periodSeconds']);
          assert.equal(now[index]?.['timeoutSeconds'], old['timeoutSeconds']);
        }
      }
    });
  });

  test('our own containers keep to the profile restricted, but for the one capability of the redirection', () => {
    always((_before, after) => {
      for (const one of (after.spec['initContainers'] as readonly Container[]).filter(({ name }) =>
        OURS.includes(name),
      )) {
        const security = one['securityContext'] as Json;
        assert.equal(security['allowPrivilegeEscalation'], false);
        assert.equal(security['readOnlyRootFilesystem'], true);
        assert.deepEqual(security['seccompProfile'], { type: 'RuntimeDefault' });
        const isSidecar = one.name === 'sallyport';
        assert.deepEqual(
          security['capabilities'],
          isSidecar ? { drop: ['ALL'] } : { add: ['NET_ADMIN'], drop: ['ALL'] },
        );
        assert.equal(security['runAsUser'], isSidecar ? 61_337 : 0);
      }
    });
  });
});

function stripped(one: Container): Json {
  return Object.fromEntries(Object.entries(one).filter(([key]) => !CHANGED.includes(key)));
}
