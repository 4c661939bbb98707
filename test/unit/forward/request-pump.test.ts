import assert from 'node:assert/strict';
import type { ClientHttp2Stream } from 'node:http2';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';

import type { Shared } from '../../../src/io/forward/answer.ts';
import { RequestPump } from '../../../src/io/forward/request-pump.ts';

const SHARED = { settings: { replayBytes: 0 } } as unknown as Shared;

test("an error of a body that was broken before anybody read it is its owner's to hear, and ends nothing else", async () => {
  const source = new PassThrough();
  let broken = 0;
  const pump = new RequestPump(source, SHARED, { progressed: () => undefined, requestBroken: () => (broken += 1) });
  source.destroy(new Error('reset by the peer'));
  pump.attach(new PassThrough() as unknown as ClientHttp2Stream);
  assert.equal(broken, 1);
  assert.equal(source.listenerCount('error'), 1);
  await new Promise((resolve) => setImmediate(resolve));
});
