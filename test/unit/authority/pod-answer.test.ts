import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { readPod } from '../../../src/io/authority/pod-answer.ts';
import { plainAddress } from '../../../src/io/authority/rate-limit-source.ts';
import { podObject } from '../../support/fake-api-server.ts';

const POD = { namespace: 'agents', serviceAccount: 'planner', name: 'planner-1', uid: '4e0c' };
type Change = Parameters<typeof podObject>[2];

function read(change: Change = {}, ips: readonly string[] = ['10.1.0.7']): unknown {
  const pod = readPod(JSON.stringify(podObject(POD, ips, change)));
  return pod.ok ? pod.value : pod.error;
}

const FACTS = {
  uid: '4e0c',
  serviceAccount: 'planner',
  isEnding: false,
  isFinished: false,
  isOnHostNetwork: false,
  addresses: ['10.1.0.7'],
};

describe('a pod as the API server gives it', () => {
  const RIGHT: readonly (readonly [title: string, change: Change, ips: readonly string[], facts: object])[] = [
    ['one that runs', {}, ['10.1.0.7'], {}],
    ['both families', {}, ['10.1.0.7', 'FD00::7'], { addresses: ['10.1.0.7', 'fd00:0:0:0:0:0:0:7'] }],
    ['no address yet', {}, [], { addresses: [] }],
    ['no address yet, said as null', { status: { podIPs: null } }, [], { addresses: [] }],
    ['not scheduled: an empty status', { status: { phase: 'Pending' } }, [], { addresses: [] }],
    ['on its way out', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }, ['10.1.0.7'], { isEnding: true }],
    ['succeeded', { status: { phase: 'Succeeded' } }, ['10.1.0.7'], { isFinished: true }],
    ['failed', { status: { phase: 'Failed' } }, ['10.1.0.7'], { isFinished: true }],
    ['a phase of later times', { status: { phase: 'Unknown' } }, ['10.1.0.7'], {}],
    ['on the network of its node', { spec: { hostNetwork: true } }, ['10.1.0.7'], { isOnHostNetwork: true }],
    ['fields that are unknown here', { spec: { future: { a: [1] } } }, ['10.1.0.7'], {}],
  ];
  for (const [title, change, ips, facts] of RIGHT)
    test(title, () => assert.deepEqual(read(change, ips), { ...FACTS, ...facts }));

  const WRONG: readonly (readonly [title: string, change: Change, error: string])[] = [
    ['no UID', { metadata: { uid: undefined } }, 'metadata.uid is no text'],
    ['an empty UID', { metadata: { uid: '' } }, 'metadata.uid is no text'],
    ['a UID as a number', { metadata: { uid: 7 } }, 'metadata.uid is no text'],
    ['no service account', { spec: { serviceAccountName: undefined } }, 'spec.serviceAccountName is no text'],
    ['hostNetwork as text', { spec: { hostNetwork: 'false' } }, 'spec.hostNetwork is no boolean'],
    ['hostNetwork as null', { spec: { hostNetwork: null } }, 'spec.hostNetwork is no boolean'],
    ['addresses as text', { status: { podIPs: '10.1.0.7' } }, 'status.podIPs is no list of addresses'],
    ['an address as text', { status: { podIPs: ['10.1.0.7'] } }, 'status.podIPs is no list of addresses'],
    ['an address that is none', { status: { podIPs: [{ ip: '10.1.0' }] } }, 'status.podIPs is no list of addresses'],
    ['an empty address', { status: { podIPs: [{}] } }, 'status.podIPs is no list of addresses'],
    [
      'more addresses than a pod has',
      { status: { podIPs: Array.from({ length: 17 }, () => ({ ip: '10.1.0.7' })) } },
      'status.podIPs is no list of addresses',
    ],
  ];
  for (const [title, change, error] of WRONG) test(title, () => assert.equal(read(change), error));

  for (const [text, error] of [
    ['', 'the answer is no JSON object, or names a key twice'],
    ['[]', 'the answer is no JSON object, or names a key twice'],
    ['{"kind":"Pod","kind":"Pod"}', 'the answer is no JSON object, or names a key twice'],
    ['{"kind":"PodList","apiVersion":"v1"}', 'the answer is no Pod of v1'],
    ['{"kind":"Pod","apiVersion":"v2"}', 'the answer is no Pod of v1'],
    ['{"kind":"Pod","apiVersion":"v1","spec":{}}', 'the pod has no metadata, spec or status'],
    ['{"kind":"Pod","apiVersion":"v1","metadata":{},"spec":[]}', 'the pod has no metadata, spec or status'],
    ['{"kind":"Pod","apiVersion":"v1","metadata":{},"spec":{},"status":7}', 'the pod has no metadata, spec or status'],
  ] as const)
    test(`no pod: ${text}`, () => {
      const pod = readPod(text);
      assert.equal(pod.ok ? undefined : pod.error, error);
    });

  test('property: no text throws, and none but a pod is believed', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (text) => {
        assert.equal(readPod(text).ok, false);
      }),
    );
  });

  test('property: a pod with any status is read or refused, and its addresses are plain', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (podIPs, phase) => {
        const pod = readPod(JSON.stringify(podObject(POD, [], { status: { podIPs, phase } })));
        if (pod.ok) for (const address of pod.value.addresses) assert.equal(plainAddress(address), address);
      }),
    );
  });
});

describe('RFC 4291 2.2: one address is written in one way', () => {
  const SAME: readonly (readonly [one: string, other: string])[] = [
    ['10.1.0.7', '::ffff:10.1.0.7'],
    ['10.1.0.7', '::FFFF:0a01:0007'],
    ['10.1.0.7', '0:0:0:0:0:ffff:10.1.0.7'],
    ['fd00::7', 'FD00:0:0:0:0:0:0:7'],
    ['fd00::7', 'fd00:0000::0007'],
    ['fe80::1', 'fe80::1%eth0'],
    ['::1', '0:0:0:0:0:0:0:1'],
  ];
  for (const [one, other] of SAME)
    test(`${one} is ${other}`, () => {
      assert.notEqual(plainAddress(one), undefined);
      assert.equal(plainAddress(one), plainAddress(other));
    });
  for (const [one, other] of [
    ['10.1.0.7', '::10.1.0.7'],
    ['10.1.0.7', '64:ff9b::10.1.0.7'],
    ['fd00::7', 'fd00::70'],
    ['10.1.0.7', '10.1.0.70'],
  ] as const)
    test(`${one} is not ${other}`, () => assert.notEqual(plainAddress(one), plainAddress(other)));
  for (const none of [undefined, '', 'a', '10.1.0', '10.1.0.7/32', '010.1.0.7', '[::1]', '::1::'])
    test(`no address: ${none}`, () => assert.equal(plainAddress(none), undefined));

  test('property: an IPv4 address is itself, and so it is mapped into IPv6', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        assert.equal(plainAddress(address), address);
        assert.equal(plainAddress(`::ffff:${address}`), address);
      }),
    );
  });
  test('property: what is written plainly stays as it is', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const plain = plainAddress(address);
        assert.notEqual(plain, undefined);
        assert.equal(plainAddress(plain), plain);
      }),
    );
  });
});
