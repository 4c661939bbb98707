import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { configOf, minimalWith, mistakesOf } from './sample.ts';

const LISTEN = { 'probes/listen': '0.0.0.0:15020' };

/** The configuration with one target. */
function withTarget(target: unknown, name = 'app/liveness'): string {
  return minimalWith({ ...LISTEN, 'probes/targets': { [name]: target } });
}

describe('probes', () => {
  test('without the key there is no listener; without targets it serves its own paths alone', () => {
    assert.equal(configOf(minimalWith({})).probes, undefined);
    assert.deepEqual(configOf(minimalWith(LISTEN)).probes, { listen: { host: '0.0.0.0', port: 15_020 }, targets: {} });
  });

  test('what the kubelet fills in by default is filled in', () => {
    const { probes } = configOf(withTarget({ http: { port: 8080 } }));
    assert.deepEqual(probes?.targets['app/liveness'], {
      http: { port: 8080, path: '/', scheme: 'http', headers: [] },
      timeout: 1_000,
    });
    const grpc = configOf(withTarget({ grpc: { port: '9090' }, timeout: '5s' })).probes?.targets['app/liveness'];
    assert.deepEqual(grpc, { grpc: { port: 9_090, service: '' }, timeout: 5_000 });
  });

  test('each target is asked in exactly one way', () => {
    const place = 'probes.targets["app/liveness"]';
    assert.deepEqual(
      mistakesOf(withTarget({})).map(({ path, expected }) => [path, expected]),
      [[place, 'one of http, grpc and tcp']],
    );
    assert.deepEqual(
      mistakesOf(withTarget({ http: { port: 1 }, tcp: { port: 1 } })).map(({ path, expected }) => [path, expected]),
      [[`${place}.tcp`, 'no such key beside http']],
    );
  });

  for (const name of ['app', 'app/ready', 'App/liveness', 'app/liveness/x', '../liveness', '/liveness', '-a/startup']) {
    test(`${name} is no CONTAINER/KIND`, () => {
      assert.equal(mistakesOf(withTarget({ tcp: { port: 1 } }, name)).length, 1);
    });
  }

  const wrong: Readonly<Record<string, unknown>> = {
    'a port of 0': { tcp: { port: 0 } },
    'a port beyond 65535': { http: { port: 65_536 } },
    'a host': { http: { port: 1, host: '10.0.0.1' } },
    'another scheme': { http: { port: 1, scheme: 'file' } },
    'a path with a line end': { http: { port: 1, path: '/a\r\nX: y' } },
    'a field name that is none': { http: { port: 1, headers: [{ name: 'a b', value: '' }] } },
    'a field that frames': { http: { port: 1, headers: [{ name: 'Transfer-Encoding', value: 'chunked' }] } },
    'a value with a line end': { http: { port: 1, headers: [{ name: 'a', value: 'b\r\nc: d' }] } },
    'no time': { tcp: { port: 1 }, timeout: '0s' },
  };
  for (const [what, target] of Object.entries(wrong)) {
    test(`${what} is a mistake`, () => assert.equal(mistakesOf(withTarget(target)).length, 1));
  }

  test('the port of another listener is a mistake, on every address too', () => {
    const taken = minimalWith({ ...LISTEN, 'inbound/0/listen': '10.0.0.1:15020' });
    assert.deepEqual(
      mistakesOf(taken).map(({ path }) => path),
      ['probes.listen'],
    );
  });
});
