import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { WaitingRoom } from '../../../src/core/kernel/waiting-room.ts';

class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

function visitor(room: WaitingRoom, address: string): FakeSocket {
  const socket = new FakeSocket(address);
  room.enter(socket);
  return socket;
}

describe('a full room', () => {
  test('in an address that has its share the one that waits longest gives way; others have theirs', () => {
    const room = new WaitingRoom({ total: 10, perAddress: 2 });
    const [other, first, second] = [visitor(room, 'b'), visitor(room, 'a'), visitor(room, 'a')];
    const third = visitor(room, 'a');
    assert.deepEqual(
      [other, first, second, third].map(({ destroyed }) => destroyed),
      [false, true, false, false],
    );
    assert.equal(room.size, 3);
  });

  test('an address whose share is being served gets no more of it', () => {
    const room = new WaitingRoom({ total: 10, perAddress: 2 });
    const served = [visitor(room, 'a'), visitor(room, 'a')];
    for (const each of served) room.spoke(each);
    assert.deepEqual([visitor(room, 'a').destroyed, visitor(room, 'b').destroyed], [true, false]);
    room.rests(served[1] ?? assert.fail());
    assert.equal(visitor(room, 'a').destroyed, false);
    assert.deepEqual(
      served.map(({ destroyed }) => destroyed),
      [false, true],
    );
  });

  test('who has gone rests no more', () => {
    const room = new WaitingRoom({ total: 1, perAddress: 1 });
    const gone = visitor(room, 'a');
    gone.destroy();
    room.rests(gone);
    assert.equal(room.size, 0);
    assert.equal(visitor(room, 'a').destroyed, false);
  });

  test('whoever waits longest without a request gives way', () => {
    const room = new WaitingRoom({ total: 2, perAddress: 2 });
    const [spoken, silent] = [visitor(room, 'a'), visitor(room, 'b')];
    room.spoke(spoken);
    assert.equal(visitor(room, 'c').destroyed, false);
    assert.deepEqual([spoken.destroyed, silent.destroyed, room.size], [false, true, 2]);
  });

  test('where everybody is being served, who comes has to go', () => {
    const room = new WaitingRoom({ total: 1, perAddress: 2 });
    const spoken = visitor(room, 'a');
    room.spoke(spoken);
    assert.equal(visitor(room, 'b').destroyed, true);
    assert.equal(spoken.destroyed, false);
  });

  test('there are never more than there is room for, and none is forgotten', () => {
    const step = fc.record({
      address: fc.constantFrom('a', 'b', 'c'),
      does: fc.constantFrom('enter', 'speak', 'rest', 'leave'),
      which: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const room = new WaitingRoom({ total: 4, perAddress: 3 });
        const all: FakeSocket[] = [];
        for (const { address, does, which } of steps) {
          const chosen = all[which % Math.max(all.length, 1)];
          if (does === 'enter') all.push(visitor(room, address));
          else if (does === 'leave') chosen?.destroy();
          else if (does === 'rest' && chosen !== undefined) room.rests(chosen);
          else if (chosen?.destroyed === false) room.spoke(chosen);
          const open = all.filter((socket) => !socket.destroyed);
          assert.equal(room.size, open.length);
          assert.ok(open.length <= 4);
          for (const each of ['a', 'b', 'c'])
            assert.ok(open.filter((socket) => socket.remoteAddress === each).length <= 3);
        }
      }),
    );
  });
});
