import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { ConnectionRoom } from '../../../src/io/kube/connection-room.ts';

type Connection = { readonly remoteAddress: string; readonly id: number };

let made = 0;
const from = (remoteAddress: string): Connection => ({ remoteAddress, id: (made += 1) });

/** A room that holds as many connections as an address makes of them. */
function held(limit: number, addresses: readonly string[]): { room: ConnectionRoom<Connection>; open: Connection[] } {
  const room = new ConnectionRoom<Connection>(limit);
  const open = addresses.map(from);
  for (const connection of open) assert.equal(room.enter(connection), undefined);
  return { room, open };
}

describe('connections of the webhook', () => {
  test('whoever holds all of the room loses his oldest to somebody else', () => {
    const { room, open } = held(4, ['evil', 'evil', 'evil', 'evil']);
    assert.equal(room.enter(from('api')), open[0]);
    assert.equal(room.enter(from('api')), open[1]);
  });

  test('whoever holds most gets no more', () => {
    const { room } = held(4, ['api', 'evil', 'evil', 'evil']);
    const more = from('evil');
    assert.equal(room.enter(more), more);
    assert.equal(room.enter(from('api'))?.remoteAddress, 'evil');
  });

  test('where all hold the same the newcomer goes', () => {
    const { room } = held(2, ['a', 'b']);
    const more = from('a');
    assert.equal(room.enter(more), more);
  });

  test('who left makes room, also who had to go already', () => {
    const { room, open } = held(2, ['evil', 'evil']);
    room.enter(from('api'));
    for (const connection of open) room.leave(connection);
    assert.equal(room.enter(from('evil')), undefined);
  });

  test('property: never more than the limit, and an address with less than its share loses nothing', () => {
    const steps = fc.array(fc.record({ address: fc.constantFrom('a', 'b', 'c', 'd'), leaves: fc.boolean() }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const room = new ConnectionRoom<Connection>(8);
        const open = new Set<Connection>();
        for (const { address, leaves } of list) {
          const [first] = open;
          if (leaves && first !== undefined) {
            room.leave(first);
            open.delete(first);
            continue;
          }
          const connection = from(address);
          open.add(connection);
          const gone = room.enter(connection);
          if (gone === undefined) continue;
          const share = [...open].filter(({ remoteAddress }) => remoteAddress === gone.remoteAddress).length;
          assert.ok(share > 8 / 4, `${gone.remoteAddress} had ${share}`);
          open.delete(gone);
        }
        assert.ok(open.size <= 8);
      }),
    );
  });
});
