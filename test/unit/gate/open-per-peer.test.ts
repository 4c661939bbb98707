import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { OpenPerPeer } from '../../../src/core/gate/open-per-peer.ts';
import { fakePeer } from '../../support/fake-exchange.ts';

const PEERS = ['a', 'b', 'c'].map((name) => fakePeer(`spiffe://example.org/${name}`));

test('promise 8: in any order of comings and goings, each identity has its own share and nothing is kept of who has gone', () => {
  const step = fc.record({ peer: fc.nat({ max: 2 }), comes: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const open = new OpenPerPeer(3);
      const truth = [0, 0, 0];
      for (const { peer, comes } of steps) {
        const count = truth[peer] ?? 0;
        if (comes) assert.equal(open.enter(PEERS[peer]!), count < 3);
        else if (count > 0) open.leave(PEERS[peer]!);
        truth[peer] = comes ? count + 1 : Math.max(0, count - 1);
        assert.equal(open.size, truth.filter((one) => one > 0).length);
      }
    }),
  );
});

test('anonymous peers count as one', () => {
  const open = new OpenPerPeer(1);
  assert.equal(open.enter({ kind: 'anonymous' }), true);
  assert.equal(open.enter({ kind: 'anonymous' }), false);
});
