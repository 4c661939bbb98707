import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { loadInjectorConfig } from '../../../src/core/config/injector-config.ts';
import { injectorJsonSchema } from '../../../src/core/config/json-schema.ts';
import { injectorReference, referenceRows } from '../../../src/core/config/reference.ts';

const LEAST = {
  trust: { roots: '/etc/sallyport/trust/roots.pem' },
  policyService: {},
  sidecar: {
    trustDomain: 'example.org',
    image: 'sallyport:0.1.0',
    identity: {
      authority: {
        url: 'https://sallyport-authority.sallyport-system.svc:8444',
        id: 'spiffe://example.org/sallyport/authority',
      },
    },
    policy: {
      namespace: {
        url: 'https://sallyport-injector.sallyport-system.svc:8445/',
        id: 'spiffe://example.org/ns/sallyport-system/sa/sallyport-injector',
      },
    },
  },
};

function load(root: unknown, env: Record<string, string> = {}) {
  return loadInjectorConfig(JSON.stringify(root), env);
}

/** Merges maps, so that a case says only what it changes; `undefined` takes a key away. */
function changed(base: unknown, change: unknown): unknown {
  if (!isMap(base) || !isMap(change)) return change;
  const keys = [...new Set([...Object.keys(base), ...Object.keys(change)])];
  return Object.fromEntries(
    keys.map((key) => [key, key in change ? changed(base[key], change[key]) : base[key]] as const),
  );
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

test('the least that has to be said, and everything else by default', () => {
  const loaded = load(LEAST);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  assert.deepEqual(loaded.value, {
    namespace: 'sallyport-system',
    webhook: {
      listen: { host: '0.0.0.0', port: 8443 },
      path: '/inject',
      maxBytes: 8 * 1_048_576,
      connections: 256,
      timeout: 9_000,
      certificate: {
        source: 'self',
        secret: 'sallyport-injector-tls',
        configuration: 'sallyport',
        service: 'sallyport-injector',
        lives: 7 * 86_400_000,
      },
      drain: 5_000,
    },
    health: { listen: { host: '0.0.0.0', port: 8080 } },
    trust: { roots: '/etc/sallyport/trust/roots.pem' },
    policyService: {
      listen: { host: '127.0.0.1', port: 8446 },
      library: true,
      configMap: 'sallyport-policy',
      candidateConfigMap: 'sallyport-policy-candidate',
      serviceAccounts: false,
    },
    sidecar: {
      trustDomain: 'example.org',
      image: 'sallyport:0.1.0',
      imagePullPolicy: 'IfNotPresent',
      capture: 'redirect',
      uid: 61_337,
      ports: { inbound: 15_100, outbound: 15_001, probe: 15_020, admin: 15_000 },
      identity: {
        source: 'authority',
        url: 'https://sallyport-authority.sallyport-system.svc:8444',
        id: 'spiffe://example.org/sallyport/authority',
        audience: 'sallyport',
      },
      policy: {
        source: 'namespace',
        url: 'https://sallyport-injector.sallyport-system.svc:8445',
        id: 'spiffe://example.org/ns/sallyport-system/sa/sallyport-injector',
      },
      mode: 'enforce',
      outbound: { capture: 'declared', destinations: {}, excludePorts: [], excludeCidrs: [] },
      resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '384Mi' } },
      logLevel: 'info',
      drainDelay: 5_000,
      metrics: false,
      overrides: ['ports', 'protocol', 'destinations', 'resources', 'log-level', 'drain-delay'],
      allowPrivileged: false,
      extra: {},
    },
    log: { level: 'info' },
    shutdown: { grace: 10_000 },
  });
  assert.ok(Object.isFrozen(loaded.value.sidecar.resources.requests));
});

test("what is the sidecar's own is judged by its schema and handed on as written", () => {
  const own = {
    journal: ['stdout', { url: 'https://logs.example.org/logs', tokenFile: '/run/t', maxBytes: '64KiB' }],
    journalQueue: { wait: '2s' },
    labels: { cluster: 'a' },
    status: { url: 'https://logs.example.org/status' },
    limits: { bodyBytes: '1MiB' },
  };
  const loaded = load(changed(LEAST, { sidecar: own }));
  assert.ok(loaded.ok, JSON.stringify(loaded));
  assert.deepEqual(loaded.value.sidecar.extra, own);
  assert.ok(!('journal' in loaded.value.sidecar));
  const bad = load(changed(LEAST, { sidecar: { journalQueue: { wait: 2 }, limits: { bodybytes: '1MiB' } } }));
  assert.ok(!bad.ok);
  assert.deepEqual(
    bad.error.map(({ path, hint }) => [path, hint]),
    [
      ['sidecar.journalQueue.wait', undefined],
      ['sidecar.limits.bodybytes', 'did you mean bodyBytes?'],
    ],
  );
});

test('a reference to the environment of the pod, and one to that of the injector', () => {
  const loaded = load(changed(LEAST, { sidecar: { labels: { cluster: '${CLUSTER}', pod: '$${HOSTNAME}' } } }), {
    CLUSTER: 'blue',
  });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  assert.deepEqual(loaded.value.sidecar.extra, { labels: { cluster: 'blue', pod: '${HOSTNAME}' } });
});

test('the other source of each thing', () => {
  const other = changed(LEAST, {
    webhook: { certificate: { source: 'files', files: { certificate: '/c/tls.crt', privateKey: '/c/tls.key' } } },
    trust: undefined,
    policyService: undefined,
    sidecar: {
      identity: { source: 'workload-api', authority: undefined },
      policy: {
        source: 'bundle',
        namespace: undefined,
        bundle: { url: 'oci://registry.example.org/policies:1', decision: 'envoy/authz/allow' },
      },
    },
  });
  const loaded = load(other);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const { webhook, sidecar } = loaded.value;
  assert.deepEqual(webhook.certificate, { source: 'files', certificate: '/c/tls.crt', privateKey: '/c/tls.key' });
  assert.deepEqual(sidecar.identity, { source: 'workload-api', driver: 'csi.spiffe.io' });
  assert.deepEqual(sidecar.policy, {
    source: 'bundle',
    url: 'oci://registry.example.org/policies:1',
    decision: 'envoy/authz/allow',
  });
});

const ID = 'spiffe://example.org/x';
const MISTAKES: readonly (readonly [change: object, paths: readonly string[]])[] = [
  [{ namespace: 'a.b' }, ['namespace']],
  [{ webhook: { listen: 'localhost:1' } }, ['webhook.listen']],
  [{ webhook: { path: 'inject' } }, ['webhook.path']],
  [{ webhook: { path: '/inject?x' } }, ['webhook.path']],
  [{ webhook: { maxBytes: '1KiB' } }, ['webhook.maxBytes']],
  [{ webhook: { timeout: '31s' } }, ['webhook.timeout']],
  [{ webhook: { certificate: { source: 'files' } } }, ['webhook.certificate.files']],
  [{ webhook: { certificate: { self: { lives: '25d' } } } }, ['webhook.certificate.self.lives']],
  [{ webhook: { certificate: { self: { service: 'a.b' } } } }, ['webhook.certificate.self.service']],
  [{ health: { listen: '0.0.0.0:8443' } }, ['health.listen']],
  [{ trust: undefined }, ['trust.roots']],
  [{ policyService: undefined }, ['policyService']],
  [{ policyService: { listen: '0.0.0.0:8446' } }, ['policyService.listen']],
  [{ policyService: { configMap: 'Policy' } }, ['policyService.configMap']],
  [{ sidecar: undefined }, ['sidecar', 'sidecar.identity.authority', 'sidecar.policy.namespace']],
  [
    { sidecar: { trustDomain: 'A' } },
    ['sidecar.trustDomain', 'sidecar.identity.authority.id', 'sidecar.policy.namespace.id'],
  ],
  [{ sidecar: { image: 'a b' } }, ['sidecar.image']],
  [{ sidecar: { uid: 0 } }, ['sidecar.uid']],
  [{ sidecar: { ports: { probe: 15_100 } } }, ['sidecar.ports.probe']],
  [{ sidecar: { ports: { inbound: 15_001 } } }, ['sidecar.ports.outbound']],
  [
    { sidecar: { identity: { source: 'workload-api', authority: undefined }, policy: { source: 'bundle' } } },
    ['sidecar.policy.namespace', 'sidecar.policy.bundle'],
  ],
  [{ sidecar: { identity: { authority: { id: 'spiffe://b.org/x' } } } }, ['sidecar.identity.authority.id']],
  [{ sidecar: { identity: { authority: { url: 'https://a/b' } } } }, ['sidecar.identity.authority.url']],
  [{ sidecar: { identity: { workloadApi: { driver: 'A' } } } }, ['sidecar.identity.workloadApi.driver']],
  [{ sidecar: { policy: { namespace: { url: 'http://a' } } } }, ['sidecar.policy.namespace.url']],
  [{ sidecar: { policy: { bundle: { url: 'https://a' } } } }, ['sidecar.policy.bundle']],
  [{ sidecar: { overrides: ['ports', 'image'] } }, ['sidecar.overrides[1]']],
  [{ sidecar: { resources: { limits: { memory: '1 GB' } } } }, ['sidecar.resources.limits.memory']],
  [{ sidecar: { outbound: { excludeCidrs: ['10.0.0.0/33'] } } }, ['sidecar.outbound.excludeCidrs[0]']],
  [
    { sidecar: { outbound: { destinations: { a: { address: 'a', id: ID } } } } },
    ['sidecar.outbound.destinations.a.address'],
  ],
  [
    { sidecar: { outbound: { destinations: { a: { address: 'a:1', id: [] } } } } },
    ['sidecar.outbound.destinations.a.id'],
  ],
  [{ sidecar: { mode: 'off' } }, ['sidecar.mode']],
  [{ webhooks: {} }, ['webhooks']],
];
for (const [change, paths] of MISTAKES)
  test(`${JSON.stringify(change)} is a mistake at ${paths.join(' and ')}`, () => {
    const loaded = load(changed(LEAST, change));
    assert.ok(!loaded.ok);
    assert.deepEqual(new Set(loaded.error.map(({ path }) => path)), new Set(paths));
  });

test('all mistakes come together, each with its line', () => {
  const loaded = loadInjectorConfig('webhook: {path: x}\nhealth: {listen: y}\nsidecar: {uid: 1}\n', {});
  assert.ok(!loaded.ok);
  const places = loaded.error.map(({ path, line }) => `${line} ${path}`);
  for (const expected of ['1 webhook.path', '2 health.listen', '3 sidecar.uid', '3 sidecar.image'])
    assert.ok(places.includes(expected), `${expected} of ${places.join(', ')}`);
});

test('property: anything at all is read or refused, never thrown', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (root) => void load(root)),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.constantFrom(...Object.keys(LEAST.sidecar), 'ports', 'outbound', 'journal'),
      (value, key) => {
        void load(changed(LEAST, { sidecar: { [key]: value } }));
      },
    ),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.string(), (text) => void loadInjectorConfig(text, {})),
    { numRuns: 300 },
  );
});

test('the reference says what every key means', () => {
  const rows = referenceRows(injectorJsonSchema());
  const silent = rows.filter(({ meaning }) => meaning === '').map(({ path }) => path);
  assert.deepEqual(silent, []);
  const paths = rows.map(({ path }) => path);
  for (const path of [
    'webhook.certificate.self.secret',
    'sidecar.outbound.destinations.NAME.id',
    'sidecar.limits.bodyBytes',
  ])
    assert.ok(paths.includes(path), path);
  assert.equal(injectorReference().trimEnd().split('\n').length, rows.length + 2);
});
