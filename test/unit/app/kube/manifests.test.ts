import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { MAX_MANIFESTS, readManifests } from '../../../../src/app/kube/manifests.ts';
import { podTemplates } from '../../../../src/app/kube/pod-templates.ts';

const SPEC = { containers: [{ name: 'a' }] };

function read(text: string) {
  const manifests = readManifests(text);
  assert.ok(manifests.ok);
  return manifests.value;
}

test('several documents are read, each with the line at which it begins; empty ones are left out', () => {
  const found = read('# first\nkind: Pod\n---\n\n---\nkind: Job\n---\n- 1\n');
  assert.deepEqual(found, [
    { line: 2, value: { kind: 'Pod' } },
    { line: 6, value: { kind: 'Job' } },
    { line: 8, value: [1] },
  ]);
});

test('JSON is read as well, anchors are resolved, and dates stay text', () => {
  assert.deepEqual(read('{"kind": "Pod"}')[0]?.value, { kind: 'Pod' });
  assert.deepEqual(read('a: &x {b: 2020-01-01}\nc: *x\n')[0]?.value, {
    a: { b: '2020-01-01' },
    c: { b: '2020-01-01' },
  });
});

test('faults of all documents are told with their places', () => {
  const manifests = readManifests('a: 1\na: 2\n---\nb: [\n');
  assert.ok(!manifests.ok);
  assert.match(manifests.error[0] ?? '', /^2:1: Map keys must be unique/);
  assert.equal(manifests.error.length, 2);
});

test('aliases that would grow without bound, or stand within themselves, are faults', () => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level++)
    bomb.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ')}]`);
  for (const text of [bomb.join('\n'), 'a: &x {b: *x}']) {
    const manifests = readManifests(text);
    assert.ok(!manifests.ok, text);
    assert.match(manifests.error[0] ?? '', /^1:1: /);
  }
});

test('more text than anybody installs is refused unread', () => {
  assert.equal(readManifests(' '.repeat(MAX_MANIFESTS + 1)).ok, false);
});

test('property: no text throws', () => {
  const structural = fc.string({ unit: fc.constantFrom(...'[]{}:,-?&*!|>"\'#\n ab---'.split('')) });
  fc.assert(
    fc.property(structural, (text) => typeof readManifests(text).ok === 'boolean'),
    { numRuns: 300 },
  );
});

test('pods are found in every kind that makes them, with where they stand', () => {
  const template = { metadata: { labels: { a: 'b' } }, spec: SPEC };
  const places: readonly (readonly [object, string])[] = [
    [{ kind: 'Pod', metadata: { name: 'x' }, spec: SPEC }, ''],
    ...['Deployment', 'ReplicaSet', 'ReplicationController', 'StatefulSet', 'DaemonSet', 'Job'].map(
      (kind) => [{ kind, metadata: { name: 'x' }, spec: { template } }, 'spec.template'] as const,
    ),
    [
      { kind: 'CronJob', metadata: { name: 'x' }, spec: { jobTemplate: { spec: { template } } } },
      'spec.jobTemplate.spec.template',
    ],
    [{ kind: 'PodTemplate', metadata: { name: 'x' }, template }, 'template'],
    [
      { kind: 'Rollout', apiVersion: 'argoproj.io/v1alpha1', metadata: { name: 'x' }, spec: { template } },
      'spec.template',
    ],
  ];
  for (const [object, path] of places) {
    const [found, ...more] = podTemplates(object);
    assert.deepEqual([found?.path, found?.name, more], [path, 'x', []], JSON.stringify(object));
    assert.deepEqual(found?.pod['spec'], SPEC);
    assert.equal(found?.pod['kind'], 'Pod');
  }
});

test('a List gives the pods of its items, and lists of lists end', () => {
  const pod = { kind: 'Pod', metadata: { generateName: 'x-', namespace: 'n' }, spec: SPEC };
  const found = podTemplates({ kind: 'List', items: [pod, { kind: 'PodList', items: [pod] }, { kind: 'Service' }] });
  assert.deepEqual(
    found.map(({ name, namespace }) => [name, namespace]),
    [
      ['x-', 'n'],
      ['x-', 'n'],
    ],
  );
  let deep: object = pod;
  for (let level = 0; level < 50; level++) deep = { kind: 'List', items: [deep] };
  assert.deepEqual(podTemplates(deep), []);
});

test('a kind that makes pods but holds none gives a pod that is none, so that it is refused and not passed over', () => {
  assert.deepEqual(podTemplates({ kind: 'Deployment', spec: 1 })[0]?.pod, { apiVersion: 'v1', kind: 'Pod' });
});

test('what makes no pods is passed over, and property: no value throws', () => {
  for (const value of [null, 1, [], {}, { kind: 1 }, { kind: 'Service', spec: {} }, { kind: 'toString' }])
    assert.deepEqual(podTemplates(value), []);
  fc.assert(fc.property(fc.jsonValue(), (value) => Array.isArray(podTemplates(value))));
});
