import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { FakeExchange, http1Head } from '../../support/fake-exchange.ts';
import { FakeGateWorld } from '../../support/fake-gate-world.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** One allowed request, decided and still open; only what forwards it keeps it, by its `done`. */
function openRequest(world: FakeGateWorld): WeakRef<FakeExchange> {
  const exchange = new FakeExchange(http1Head('GET', '/'));
  world.forwarder.hold = true;
  world.gate.exchange(exchange);
  return new WeakRef(exchange);
}

/** A `WeakRef` keeps its target until the turn in which it was made or read has ended. */
async function collected(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  collect();
}

test('a closed case forgets its exchange, even while somebody still holds its callback', async () => {
  const world = new FakeGateWorld();
  const exchange = openRequest(world);
  const [end] = world.forwarder.finish;
  await collected();
  assert.notEqual(exchange.deref(), undefined, 'while it is open it is kept');
  end?.({ kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 0 });
  await collected();
  assert.equal(exchange.deref(), undefined);
  assert.equal(world.journal.records.length, 1);
  end?.({ kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 0 });
});

test('a closed case ignores a second end', () => {
  const world = new FakeGateWorld();
  openRequest(world);
  const [end] = world.forwarder.finish;
  for (let i = 0; i < 2; i += 1) end?.({ kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 0 });
  assert.equal(world.journal.records.length, 1);
});
