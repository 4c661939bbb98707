import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DEFAULT_LIMITS, STRICT_PATHS } from '../../../src/core/model/limits.ts';
import { configOf, listener, minimalWith, mistakesOf } from './sample.ts';

/** Design contract: every key of the documented file, as it is documented. */
const DOCUMENTED = `
identity:
  source: files
  certificate: certs/agent.pem
  privateKey: certs/agent.key
  trustBundles:
    example.org: certs/example.org.pem
  revocationLists: [certs/example.org.crl.pem]
inbound:
  - listen: 0.0.0.0:8443
    upstream: http://127.0.0.1:8080
policy:
  bundle: policies/
  decision: sallyport/authz/decision
  mode: enforce
journal:
  - stdout
admin:
  listen: 127.0.0.1:9901
`;

test('the documented file is read', () => {
  const config = configOf(DOCUMENTED);
  assert.deepEqual(config.identity, {
    source: 'files',
    passphrase: undefined,
    federation: {},
    revocationListUrls: [],
    certificate: 'certs/agent.pem',
    privateKey: 'certs/agent.key',
    trustBundles: { 'example.org': 'certs/example.org.pem' },
    revocationLists: ['certs/example.org.crl.pem'],
    requireRevocationLists: false,
  });
  assert.deepEqual(config.policy.bundle, { kind: 'path', path: 'policies/' });
  assert.equal(config.policy.decision, 'sallyport/authz/decision');
  assert.deepEqual(config.journal, [{ kind: 'stdout' }]);
  assert.deepEqual(config.admin, { listen: { host: '127.0.0.1', port: 9901 }, unsafeBeyondLoopback: false });
});

test('what is left out has the safe default', () => {
  const config = configOf(minimalWith({}));
  assert.deepEqual(config.inbound, [
    {
      listen: { host: '127.0.0.1', port: 8443 },
      upstream: { protocol: 'http1', address: { kind: 'tcp', host: '127.0.0.1', port: 8080 } },
      unsafeUpstreamBeyondLoopback: false,
      paths: STRICT_PATHS,
      tls: { minVersion: '1.3', resumption: false },
      limits: DEFAULT_LIMITS,
      contextExtensions: {},
    },
  ]);
  assert.equal(config.policy.mode, 'enforce');
  assert.deepEqual(config.journal, [{ kind: 'stdout' }]);
  assert.equal(config.journalQueue.whenFull, 'refuse');
  assert.equal(config.admin, undefined);
  assert.deepEqual([config.log, config.shutdown], [{ level: 'info' }, { grace: 30_000 }]);
});

test('every limit can be set, as duration, size or count', () => {
  const written = {
    connections: 7,
    handshakeTimeout: '1s',
    headTimeout: '2s',
    idleTimeout: '3s',
    streamIdleTimeout: '4s',
    requestTimeout: '5s',
    upstreamTimeout: '6s',
    upstreamConnectTimeout: '7s',
    headerBytes: '2KiB',
    headerCount: 9,
    targetBytes: '100B',
    bodyBytes: '1MiB',
    inspectedBodyBytes: '3KiB',
    openPerPeer: 20,
    concurrentStreams: 10,
    streamWindowBytes: '64KiB',
    connectionWindowBytes: '2MiB',
    bufferBytes: '4KiB',
  };
  assert.deepEqual(configOf(minimalWith({ 'inbound/0/limits': written })).inbound[0]?.limits, {
    connections: 7,
    handshakeTimeoutMs: 1_000,
    headTimeoutMs: 2_000,
    idleTimeoutMs: 3_000,
    streamIdleTimeoutMs: 4_000,
    requestTimeoutMs: 5_000,
    upstreamTimeoutMs: 6_000,
    upstreamConnectTimeoutMs: 7_000,
    headerBytes: 2_048,
    headerCount: 9,
    targetBytes: 100,
    bodyBytes: 1_048_576,
    inspectedBodyBytes: 3_072,
    openPerPeer: 20,
    concurrentStreams: 10,
    streamWindowBytes: 65_536,
    connectionWindowBytes: 2_097_152,
    bufferBytes: 4_096,
  });
});

test('bounds that may be off are off at zero', () => {
  const off = { streamIdleTimeout: '0s', requestTimeout: '0s', upstreamTimeout: '0s', bodyBytes: '0B' };
  const limits = configOf(minimalWith({ 'inbound/0/limits': off })).inbound[0]?.limits;
  assert.deepEqual(
    [limits?.streamIdleTimeoutMs, limits?.requestTimeoutMs, limits?.upstreamTimeoutMs, limits?.bodyBytes],
    [0, 0, 0, 0],
  );
});

for (const written of ['1.2', '1.2 # a number in YAML', '"1.2"']) {
  test(`minVersion: ${written} is TLS 1.2, quoted or not`, () => {
    const text = DOCUMENTED.replace(
      '    upstream:',
      `    tls: {minVersion: ${written.replace(/ #.*/, '')}}\n    upstream:`,
    );
    assert.equal(configOf(text).inbound[0]?.tls.minVersion, '1.2');
  });
}

test('${NAME} is expanded in every kind of value, numbers and switches too', () => {
  const config = configOf(
    minimalWith({
      'inbound/0/listen': '127.0.0.1:${PORT}',
      'inbound/0/limits': { connections: '${MAX}', headTimeout: '${HEAD}s' },
      'inbound/0/paths': { doubleSlashes: '${SLASHES}' },
      'identity/trustBundles': { 'example.org': '${DIR}/ca.pem' },
      journal: ['file:${DIR}/log'],
    }),
    { PORT: '9000', MAX: '12', HEAD: '3', SLASHES: 'true', DIR: '/etc/sallyport' },
  );
  assert.deepEqual(config.inbound[0]?.listen, { host: '127.0.0.1', port: 9000 });
  assert.deepEqual([config.inbound[0]?.limits.connections, config.inbound[0]?.limits.headTimeoutMs], [12, 3_000]);
  assert.equal(config.inbound[0]?.paths.doubleSlashes, true);
  assert.deepEqual(config.identity.trustBundles, { 'example.org': '/etc/sallyport/ca.pem' });
  assert.deepEqual(config.journal, [{ kind: 'file', path: '/etc/sallyport/log' }]);
});

test('journal entries are text or maps', () => {
  const config = configOf(minimalWith({ journal: ['stdout', { to: 'file:a.log' }, 'file:b.log'] }));
  assert.deepEqual(config.journal, [
    { kind: 'stdout' },
    { kind: 'file', path: 'a.log' },
    { kind: 'file', path: 'b.log' },
  ]);
});

for (const [written, read] of [
  [1, 1],
  [64, 64],
  ['8', 8],
  ['auto', 'auto'],
] as const) {
  test(`workers: ${JSON.stringify(written)}`, () => {
    assert.equal(configOf(minimalWith({ workers: written })).workers, read);
  });
}

for (const written of [0, 65, -1, 1.5, 'many', true, [2], '', null]) {
  test(`workers: ${JSON.stringify(written)} is a mistake`, () => {
    const mistakes = mistakesOf(minimalWith({ workers: written }));
    const told = mistakes.map(({ path, expected }) => [path, expected]);
    assert.deepEqual(told, [['workers', 'a whole number from 1 to 64, or auto']]);
  });
}

test('without `workers` one thread does everything', () => assert.equal(configOf(minimalWith({})).workers, 1));

test('an upstream beyond loopback is taken where its unsafe key says so', () => {
  const config = configOf(
    minimalWith({ 'inbound/0/upstream': 'http://10.0.0.1:80', 'inbound/0/unsafeUpstreamBeyondLoopback': true }),
  );
  assert.deepEqual(config.inbound[0]?.upstream.address, { kind: 'tcp', host: '10.0.0.1', port: 80 });
});

test('two listeners on any free port are no conflict, nor are IPv4 and IPv6 loopback', () => {
  const addresses = ['127.0.0.1:0', '127.0.0.1:0', '127.0.0.1:5', '[::1]:5'];
  assert.equal(configOf(minimalWith({ inbound: addresses.map(listener) })).inbound.length, 4);
});

test('anchors and aliases may be used', () => {
  const text = DOCUMENTED.replace('certificate: certs/agent.pem', 'certificate: &p certs/agent.pem').replace(
    'certs/agent.key',
    '*p',
  );
  const { identity } = configOf(text);
  assert.equal(identity.source === 'files' && identity.privateKey, 'certs/agent.pem');
});

test('a configuration is frozen all through', () => {
  const seen: unknown[] = [configOf(DOCUMENTED)];
  for (const value of seen) {
    assert.ok(Object.isFrozen(value), JSON.stringify(value));
    for (const inner of Object.values(value as object))
      if (typeof inner === 'object' && inner !== null) seen.push(inner);
  }
  assert.ok(seen.length > 12);
});
