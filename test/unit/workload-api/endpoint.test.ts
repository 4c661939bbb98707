import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { parseEndpoint, socketOf } from '../../../src/io/workload-api/endpoint.ts';

describe('SPIFFE_Workload_Endpoint 4: the address of an endpoint', () => {
  const right = [
    ['unix:///run/spire/agent.sock', { kind: 'unix', path: '/run/spire/agent.sock' }],
    ['unix:///tmp/with%20space', { kind: 'unix', path: '/tmp/with space' }],
    ['tcp://127.0.0.1:8081', { kind: 'tcp', host: '127.0.0.1', port: 8081 }],
    ['tcp://[::1]:1', { kind: 'tcp', host: '::1', port: 1 }],
  ] as const;
  for (const [text, expected] of right) {
    test(`${text} is taken`, () => {
      assert.deepEqual(parseEndpoint(text), { ok: true, value: { shown: text, ...expected } });
    });
  }

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /is neither unix:\/\/\/absolute\/path nor tcp:\/\/IP:port/],
    ['/run/agent.sock', /is neither/],
    ['http://127.0.0.1:80', /is neither/],
    ['UNIX:///run/agent.sock', /is neither/],
    ['unix:relative', /the path is not absolute/],
    ['unix:/run/agent.sock', /the path is not absolute/],
    ['unix://host/run/agent.sock', /a host stands before it/],
    ['unix:///', /that is a folder/],
    ['unix:///run/', /that is a folder/],
    ['unix:///run/a?b', /query and fragment/],
    ['unix:///run/a#b', /query and fragment/],
    ['unix:///run/%zz', /percent-encoding/],
    ['unix:///run/%00', /percent-encoding/],
    [`unix:///${'a'.repeat(103)}`, /at most 103 bytes/],
    ['tcp://localhost:80', /with an IP address \(no name\)/],
    ['tcp://127.0.0.1', /write tcp:\/\/IP:port/],
    ['tcp://127.0.0.1:0', /write tcp/],
    ['tcp://127.0.0.1:65536', /write tcp/],
    ['tcp://127.0.0.1:80/', /nothing after it/],
    ['tcp://127.0.0.1:80?x', /nothing after it/],
    ['tcp://user@127.0.0.1:80', /write tcp/],
    ['tcp://127.1:80', /write tcp/],
    ['tcp://[127.0.0.1]:80', /write tcp/],
    ['tcp://::1:80', /write tcp/],
    ['tcp:127.0.0.1:80', /write tcp/],
  ];
  for (const [text, said] of wrong) {
    test(`${text.slice(0, 40) || 'nothing'} is refused`, () => {
      const read = parseEndpoint(text);
      assert.match(read.ok ? '' : read.error, said);
    });
  }

  test('no text throws', () => {
    fc.assert(
      fc.property(fc.constantFrom('', 'unix://', 'unix:///', 'tcp://', 'tcp://['), fc.string(), (start, rest) => {
        const read = parseEndpoint(start + rest);
        assert.ok(read.ok || read.error.length > 0);
      }),
    );
  });

  test('the configuration goes before SPIFFE_ENDPOINT_SOCKET, which may be empty', () => {
    const environment = { SPIFFE_ENDPOINT_SOCKET: 'unix:///env' };
    assert.equal(socketOf('unix:///file', environment), 'unix:///file');
    assert.equal(socketOf(undefined, environment), 'unix:///env');
    assert.equal(socketOf(undefined, { SPIFFE_ENDPOINT_SOCKET: '' }), undefined);
    assert.equal(socketOf(undefined, {}), undefined);
  });
});
