import assert from 'node:assert/strict';
import { platform } from 'node:os';
import { test } from 'node:test';

import { workerCount } from '../../../src/app/worker-count.ts';
import type { Config } from '../../../src/core/config/config.ts';
import { loadConfig } from '../../../src/core/config/config.ts';

const DESTINATION = { researcher: { address: '127.0.0.1:9', id: 'spiffe://example.org/researcher' } };

function configWith(changes: Readonly<Record<string, unknown>>): Config {
  const config = loadConfig(
    JSON.stringify({
      identity: { certificate: 'c', privateKey: 'k', trustBundles: { 'example.org': 'b' } },
      inbound: [{ listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:9' }],
      policy: { bundle: 'p' },
      ...changes,
    }),
    {},
  );
  return config.ok ? config.value : assert.fail(JSON.stringify(config.error));
}

test('one thread unless it is said', () => assert.equal(workerCount(configWith({}), 8), 1));

test('a number is taken as it is, however many cores there are', () => {
  assert.equal(workerCount(configWith({ workers: 3 }), 1), 3);
});

test('auto: one for each core, at most 64', { skip: platform() === 'linux' ? false : 'Linux only' }, () => {
  const auto = configWith({ workers: 'auto' });
  assert.deepEqual(
    [1, 2, 48, 128].map((cores) => workerCount(auto, cores)),
    [1, 2, 48, 64],
  );
});

test('never more than the queue before the journal has room for: else some would be without any while it lies idle with others', () => {
  const counts = [{ records: 16 }, { bytes: '64KiB' }, { records: 16, bytes: '64KiB' }, {}].map((journalQueue) =>
    workerCount(configWith({ workers: 64, journalQueue }), 64),
  );
  assert.deepEqual(counts, [2, 4, 2, 64]);
});

test('without a listener that has a port there is nothing to share', () => {
  const outbound = [{ listen: 'unix:///run/calls.sock', destinations: DESTINATION }];
  assert.equal(workerCount(configWith({ workers: 4, inbound: [], outbound }), 4), 1);
  const mixed = [...outbound, { listen: '127.0.0.1:0', destinations: DESTINATION }];
  assert.equal(workerCount(configWith({ workers: 4, inbound: [], outbound: mixed }), 4), 4);
});
