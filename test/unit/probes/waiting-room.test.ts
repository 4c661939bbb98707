import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { WaitingRoom } from '../../../src/io/probes/waiting-room.ts';

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
  room.enter(socket as unknown as Socket);
  return socket;
}

describe('a full room', () => {
  test('an address that has its share gets no more of it, and others do', () => {
    const room = new WaitingRoom({ total: 10, perAddress: 2 });
    const [first, second, third] = [visitor(room, 'a'), visitor(room, 'a'), visitor(room, 'a')];
    assert.deepEqual([first.destroyed, second.destroyed, third.destroyed], [false, false, true]);
    assert.equal(visitor(room, 'b').destroyed, false);
    first.destroy();
    assert.equal(visitor(room, 'a').destroyed, false);
  });

  test('whoever waits longest without a request gives way', () => {
    const room = new WaitingRoom({ total: 2, perAddress: 2 });
    const [spoken, silent] = [visitor(room, 'a'), visitor(room, 'b')];
    room.spoke(spoken as unknown as Socket);
    assert.equal(visitor(room, 'c').destroyed, false);
    assert.deepEqual([spoken.destroyed, silent.destroyed, room.size], [false, true, 2]);
  });

  test('where everybody is being served, who comes has to go', () => {
    const room = new WaitingRoom({ total: 1, perAddress: 2 });
    const spoken = visitor(room, 'a');
    room.spoke(spoken as unknown as Socket);
    assert.equal(visitor(room, 'b').destroyed, true);
    assert.equal(spoken.destroyed, false);
  });

  test('there are never more than there is room for, and none is forgotten', () => {
    const step = fc.record({
      address: fc.constantFrom('a', 'b', 'c'),
      does: fc.constantFrom('enter', 'speak', 'leave'),
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
          else if (chosen?.destroyed === false) room.spoke(chosen as unknown as Socket);
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
