import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { loadAuthorityConfig } from '../../../src/core/config/authority-config.ts';
import { authorityJsonSchema } from '../../../src/core/config/json-schema.ts';
import { authorityReference, referenceRows } from '../../../src/core/config/reference.ts';
import { parseIdTemplate } from '../../../src/core/config/identity-values.ts';

function wrong(root: unknown): readonly string[] {
  const loaded = loadAuthorityConfig(JSON.stringify(root), {});
  return loaded.ok ? [] : loaded.error.map(({ path }) => path);
}

/** Path, what is expected there, and what may have been meant. */
function said(root: unknown): readonly (readonly unknown[])[] {
  const loaded = loadAuthorityConfig(JSON.stringify(root), {});
  return loaded.ok ? [] : loaded.error.map(({ path, expected, hint }) => [path, expected, hint]);
}

test('nothing said is everything by default', () => {
  const loaded = loadAuthorityConfig('', {});
  assert.ok(loaded.ok);
  assert.deepEqual(loaded.value, {
    trustDomain: 'example.org',
    dir: 'certs',
    listen: { host: '127.0.0.1', port: 8444 },
    lifetimes: { leaf: 3_600_000, list: 600_000 },
    limits: { perSource: 5, perId: 60, connections: 4_096 },
    log: { level: 'info' },
    shutdown: { grace: 5_000 },
  });
  assert.ok(Object.isFrozen(loaded.value.lifetimes));
});

test('everything said', () => {
  const loaded = loadAuthorityConfig(
    `trustDomain: a.org
kubernetes: {namespaces: {agents: [planner, researcher]}}
workloadApi: {socket: /run/a.sock, identities: [{id: spiffe://a.org/x}, {id: spiffe://a.org/y, hint: internal}]}
crl: {listen: 0.0.0.0:8080}
`,
    {},
  );
  assert.ok(loaded.ok, JSON.stringify(loaded));
  assert.deepEqual(loaded.value.kubernetes, {
    audience: 'sallyport',
    bindPod: true,
    podAddress: true,
    outage: 86_400_000,
    namespaces: { agents: ['planner', 'researcher'] },
  });
  assert.deepEqual(loaded.value.workloadApi?.identities[1], { id: 'spiffe://a.org/y', hint: 'internal' });
  assert.deepEqual(loaded.value.crl, { listen: { host: '0.0.0.0', port: 8080 } });
});

const MISTAKES: readonly (readonly [root: object, path: string])[] = [
  [{ trustDomain: 'A.org' }, 'trustDomain'],
  [{ id: 'spiffe://b.org/x' }, 'id'],
  [{ kubernetes: { id: 'spiffe://b.org/{namespace}/{serviceAccount}' } }, 'kubernetes.id'],
  [{ kubernetes: { id: 'spiffe://example.org/{namespace}' } }, 'kubernetes.id'],
  [{ kubernetes: { namespaces: { agents: [] } } }, 'kubernetes.namespaces.agents'],
  [{ kubernetes: { api: 'http://api' } }, 'kubernetes.api'],
  [{ workloadApi: { socket: 'x', identities: [{ id: 'spiffe://b.org/x' }] } }, 'workloadApi.identities[0].id'],
  [{ workloadApi: { socket: 'x', identities: [] } }, 'workloadApi.identities'],
  [{ lifetimes: { leaf: '31d' } }, 'lifetimes.leaf'],
  [{ lifetimes: { leaf: '9s' } }, 'lifetimes.leaf'],
  [{ crl: { listen: '127.0.0.1:8444' }, listen: '127.0.0.1:8444' }, 'crl.listen'],
  [{ tokens: 1 }, 'tokens'],
  [{ health: { listen: '127.0.0.1:8444' } }, 'health.listen'],
  [{ health: { listen: '0.0.0.0:9' }, crl: { listen: '0.0.0.0:9' } }, 'health.listen'],
  [{ health: {} }, 'health.listen'],
  [{ kubernetes: { bindPod: false, podAddress: false } }, 'kubernetes.podAddress'],
  [{ kubernetes: { bindPod: false, outage: '1h' } }, 'kubernetes.outage'],
  [{ kubernetes: { outage: '31d' } }, 'kubernetes.outage'],
  [{ kubernetes: { publish: {} } }, 'kubernetes.publish.configMap'],
  [{ kubernetes: { publish: { configMap: 'a/b' } } }, 'kubernetes.publish.configMap'],
  [{ kubernetes: { publish: { configMap: 'a', namespace: '../x' } } }, 'kubernetes.publish.namespace'],
];
for (const [root, path] of MISTAKES)
  test(`${JSON.stringify(root)} is a mistake at ${path}`, () => assert.deepEqual(wrong(root), [path]));

test('a template names both, once', () => {
  assert.ok(parseIdTemplate('spiffe://a.org/ns/{namespace}/sa/{serviceAccount}') !== undefined);
  assert.ok(parseIdTemplate('spiffe://a.org/{namespace}.{serviceAccount}') !== undefined);
  for (const bad of [
    'spiffe://a.org/{namespace}/{pod}',
    'spiffe://{namespace}/{serviceAccount}',
    'spiffe://a.org/{namespace}/{namespace}/{serviceAccount}',
    'x',
  ])
    assert.equal(parseIdTemplate(bad), undefined, bad);
});

function fill(template: string, namespace: string, serviceAccount: string): string {
  return template.replace('{namespace}', namespace).replace('{serviceAccount}', serviceAccount);
}

test('no two service accounts share an ID: what stands between the names is in no name of a namespace', () => {
  for (const bad of ['-', '', 'x', '-sa-', '0'])
    for (const [one, other] of [
      ['{namespace}', '{serviceAccount}'],
      ['{serviceAccount}', '{namespace}'],
    ] as const)
      assert.equal(parseIdTemplate(`spiffe://a.org/w/${one}${bad}${other}/x`), undefined, bad);
  const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,3}[a-z0-9])?$/);
  const account = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,2}[a-z0-9])?(\.[a-z0-9]{1,2})?$/);
  const between = fc.string({ unit: fc.constantFrom('-', '.', '/', '_', 'A', 'a', '1'), maxLength: 3 });
  fc.assert(
    fc.property(between, fc.boolean(), name, account, name, account, (text, isFirst, n1, a1, n2, a2) => {
      const holes = isFirst ? ['{namespace}', '{serviceAccount}'] : ['{serviceAccount}', '{namespace}'];
      const template = parseIdTemplate(`spiffe://a.org/${holes.join(text)}`);
      if (template === undefined || (n1 === n2 && a1 === a2)) return;
      assert.notEqual(fill(template, n1, a1), fill(template, n2, a2));
    }),
    { numRuns: 2_000 },
  );
});

test('property: anything at all is read or refused, never thrown', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (root) => void wrong(root)),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.string(), (text) => void loadAuthorityConfig(text, {})),
    { numRuns: 300 },
  );
});

test('an unknown key is said with the keys of this file', () => {
  const known =
    'one of trustDomain, dir, listen, id, privateKey, passphrase, lifetimes, crl, health, kubernetes, workloadApi, limits, log, shutdown';
  assert.deepEqual(said({ trustdomain: 'x' }), [['trustdomain', known, 'did you mean trustDomain?']]);
  assert.deepEqual(said({ lifetimes: { leafs: '1h' } }), [
    ['lifetimes.leafs', 'one of leaf, list', 'did you mean leaf?'],
  ]);
});

test('the reference says what every key means', () => {
  const rows = referenceRows(authorityJsonSchema());
  assert.deepEqual(
    rows.filter(({ meaning }) => meaning === '').map(({ path }) => path),
    [],
  );
  const paths = rows.map(({ path }) => path);
  for (const path of ['trustDomain', 'crl.listen', 'workloadApi.identities[].id'])
    assert.ok(paths.includes(path), path);
  assert.equal(authorityReference().trimEnd().split('\n').length, rows.length + 2);
});
