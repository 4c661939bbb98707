import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { platform } from 'node:os';
import { test, type TestContext } from 'node:test';

import { createPlainListener } from '../../../src/io/listen/plain-listener.ts';
import type { Listener } from '../../../src/io/listen/port-listener.ts';
import type { PlainListenSettings } from '../../../src/io/listen/settings.ts';
import { PlainBench } from './plain-bench.ts';

const skip = platform() === 'linux' ? false : 'SO_REUSEPORT spreads connections on Linux';

function listenerOn(
  context: TestContext,
  bench: PlainBench,
  port: number,
  reusePort: boolean,
): Listener<PlainListenSettings> {
  const deps = {
    handler: bench.handler,
    clock: bench.clock,
    random: (length: number) => randomBytes(length),
    problem: (error: unknown) => assert.fail(String(error)),
  };
  const listener = createPlainListener({ ...bench.settings, port, reusePort }, deps);
  context.after(() => listener.stop(0));
  return listener;
}

test('listeners that share a port each get some of the connections', { skip }, async (context) => {
  await using bench = await PlainBench.start();
  const first = listenerOn(context, bench, 0, true);
  const { port } = await first.start();
  const second = listenerOn(context, bench, port, true);
  await second.start();
  for (let i = 0; i < 64 && (first.connectionCount === 0 || second.connectionCount === 0); i += 1) {
    const socket = connect(port, '127.0.0.1');
    context.after(() => socket.destroy());
    await once(socket, 'connect');
    await bench.handler.next('admit');
  }
  assert.ok(first.connectionCount > 0 && second.connectionCount > 0);
});

test('a port is shared with nobody unless it is said', { skip }, async (context) => {
  await using bench = await PlainBench.start();
  const { port } = await listenerOn(context, bench, 0, true).start();
  await assert.rejects(listenerOn(context, bench, port, false).start(), { code: 'EADDRINUSE' });
});
