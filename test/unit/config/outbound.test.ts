import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';
import { configOf, minimalWith, mistakesOf } from './sample.ts';

const ID = 'spiffe://example.org/ns/agents/sa/researcher';

function outbound(entry: object): string {
  return minimalWith({ outbound: [{ listen: '127.0.0.1:15001', ...entry }] });
}

function wrong(entry: object): readonly string[] {
  return mistakesOf(outbound(entry)).map(({ path }) => path);
}

test('a listener with destinations: IDs are a list, addresses are taken apart, the rest has defaults', () => {
  const destinations = {
    'researcher.internal': { address: '10.0.0.7:8443', id: ID },
    '*.tools.internal': { address: '[::1]:8443', id: [ID, `${ID}-2`], protocol: 'http2' },
  };
  const [entry] = configOf(outbound({ destinations })).outbound;
  assert.deepEqual(entry, {
    listen: { kind: 'tcp', host: '127.0.0.1', port: 15_001 },
    unsafeBeyondLoopback: false,
    destinations: {
      'researcher.internal': { address: { host: '10.0.0.7', port: 8443 }, id: [ID], protocol: 'auto' },
      '*.tools.internal': { address: { host: '::1', port: 8443 }, id: [ID, `${ID}-2`], protocol: 'http2' },
    },
    retries: 2,
    circuitBreaker: { failures: 5, open: 30_000, requests: 1_024 },
    paths: { encodedSlashes: false, doubleSlashes: false, matrixParameters: false },
    limits: DEFAULT_LIMITS,
    contextExtensions: {},
  });
});

function at(destination: object): readonly string[] {
  return wrong({ destinations: { 'a.internal': destination } });
}

test('what a destination must say', () => {
  assert.deepEqual(at({}), [
    'outbound[0].destinations["a.internal"].address',
    'outbound[0].destinations["a.internal"].id',
  ]);
  for (const address of ['10.0.0.7', 'https://a:1', 'a:0', 'a:70000', '::1:1', ''])
    assert.deepEqual(at({ address, id: ID }), ['outbound[0].destinations["a.internal"].address'], address);
  for (const id of ['spiffe://example.org', 'spiffe://EXAMPLE.org/a', 'https://a', [], ['x'], 7])
    assert.equal(at({ address: 'a:1', id }).length, 1, JSON.stringify(id));
});

test('a host stands once, in any case, and is one', () => {
  const to = { address: 'a:1', id: ID };
  assert.deepEqual(wrong({ destinations: { 'a.internal': to, 'A.internal': to } }), [
    'outbound[0].destinations["A.internal"]',
  ]);
  assert.equal(wrong({ destinations: { 'a/b': to } }).length, 1);
});

test('whoever reaches the listener calls in our name: loopback, unless said otherwise', () => {
  for (const listen of ['0.0.0.0:1', '10.0.0.1:1', '[::]:1']) {
    assert.deepEqual(wrong({ listen, destinations: {} }), ['outbound[0].listen']);
    assert.deepEqual(wrong({ listen, destinations: {}, unsafeBeyondLoopback: true }), []);
  }
});

test('a unix socket is for this user alone', () => {
  const [entry] = configOf(outbound({ listen: 'unix:///run/agent/out.sock', destinations: {} })).outbound;
  assert.deepEqual(entry?.listen, { kind: 'unix', path: '/run/agent/out.sock' });
  for (const listen of ['unix://run/a', 'unix:/run/a', 'unix:///', `unix:///${'x'.repeat(110)}`, 'http://127.0.0.1:1'])
    assert.deepEqual(wrong({ listen, destinations: {} }), ['outbound[0].listen'], listen);
});

test('it shares no address with another listener', () => {
  assert.deepEqual(wrong({ listen: '127.0.0.1:8443', destinations: {} }), ['outbound[0].listen']);
});

test('an agent that only calls has no listener for peers; one that does neither has nothing to do', () => {
  const destinations = { 'a.internal': { address: 'a:1', id: ID } };
  const caller = minimalWith({ inbound: [], outbound: [{ listen: '127.0.0.1:15001', destinations }] });
  assert.deepEqual(configOf(caller).inbound, []);
  assert.deepEqual(
    mistakesOf(minimalWith({ inbound: [] })).map(({ path, expected }) => [path, expected]),
    [['inbound', 'a list of listeners, at least 1 here or in outbound']],
  );
});
