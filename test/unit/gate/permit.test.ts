import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Permit } from '../../../src/core/gate/permit.ts';
import type { ConnectionId, DecisionId } from '../../../src/core/kernel/brand.ts';
import type { Connection } from '../../../src/core/model/connection.ts';
import { destinationTo } from '../../support/destination.ts';

const CONNECTION: Connection = {
  id: 'c1' as ConnectionId,
  direction: 'inbound',
  listener: '127.0.0.1:1',
  remote: { address: '127.0.0.1', port: 2 },
  local: { address: '127.0.0.1', port: 1 },
  openedAtMs: 0,
  tls: undefined,
};

test('promise 1: what the gate minted is genuine', () => {
  assert.equal(Permit.isGenuine(Permit.mint('d' as DecisionId, CONNECTION, undefined)), true);
});

test('a permit says where an outbound call goes, and cannot be sent elsewhere', () => {
  const destination = destinationTo('tools.internal');
  const permit = Permit.mint('d' as DecisionId, CONNECTION, undefined, destination);
  assert.equal(permit.destination, destination);
  assert.throws(() => Object.assign(permit, { destination: destinationTo('evil.example') }), TypeError);
  assert.equal(Permit.mint('d' as DecisionId, CONNECTION, undefined).destination, undefined);
});

test('promise 1: a look-alike is not', () => {
  const real = Permit.mint('d' as DecisionId, CONNECTION, undefined);
  for (const fake of [
    Object.assign({}, real),
    Object.create(Permit.prototype),
    Object.create(real),
    structuredClone(Object.assign({}, real)),
    null,
    undefined,
    1,
  ]) {
    assert.equal(Permit.isGenuine(fake), false);
  }
});

test('promise 1: the constructor cannot be called around the type system', () => {
  const Open = Permit as unknown as new (...args: unknown[]) => Permit;
  assert.throws(() => new Open(Symbol('mint'), 'd', CONNECTION, undefined), /made by the gate only/);
});

test('promise 2: a permit is frozen', () => {
  const permit = Permit.mint('d' as DecisionId, CONNECTION, undefined);
  assert.throws(() => Object.assign(permit, { decisionId: 'other' }), TypeError);
});
