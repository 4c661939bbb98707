import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  ipFamily,
  isLoopback,
  parseListen,
  parseUpstream,
  staysOnThisMachine,
} from '../../../src/core/config/addresses.ts';

test('an IPv4 or bracketed IPv6 address with a port is a listen address', () => {
  assert.deepEqual(parseListen('0.0.0.0:8443'), { host: '0.0.0.0', port: 8443 });
  assert.deepEqual(parseListen('127.0.0.1:0'), { host: '127.0.0.1', port: 0 });
  assert.deepEqual(parseListen('[::]:65535'), { host: '::', port: 65_535 });
});

test('RFC 5952: an IPv6 address is kept in its canonical form, so that equal addresses are equal', () => {
  assert.deepEqual(parseListen('[0:0:0:0:0:0:0:1]:1'), { host: '::1', port: 1 });
  assert.deepEqual(parseListen('[2001:DB8::0:1]:1'), { host: '2001:db8::1', port: 1 });
});

const NO_LISTEN = [
  '',
  ':8443',
  '8443',
  '0.0.0.0',
  '0.0.0.0:',
  '0.0.0.0:65536',
  '0.0.0.0:-1',
  '0.0.0.0:08443',
  '0.0.0.0:8443 ',
  ' 0.0.0.0:8443',
  '0.0.0.0:8443/',
  'localhost:8443',
  'example.org:8443',
  '1.2.3:80',
  '1.2.3.4.5:80',
  '256.0.0.1:80',
  '01.2.3.4:80',
  '0x7f.0.0.1:80',
  '2130706433:80',
  '::1:8443',
  '[::1]',
  '[::1]:',
  '[::g]:80',
  '[fe80::1%eth0]:80',
  '[1.2.3.4]:80',
  '*:80',
  '0.0.0.0:80\n',
  '１.2.3.4:80',
];
for (const text of NO_LISTEN) {
  test(`${JSON.stringify(text)} is no listen address`, () => assert.equal(parseListen(text), undefined));
}

const UPSTREAMS = {
  'http://127.0.0.1:8080': { protocol: 'http1', address: { kind: 'tcp', host: '127.0.0.1', port: 8080 } },
  'h2c://[::1]:50051': { protocol: 'h2c', address: { kind: 'tcp', host: '::1', port: 50_051 } },
  'auto://localhost:3000': { protocol: 'auto', address: { kind: 'tcp', host: 'localhost', port: 3000 } },
  'auto://LocalHost:3000': { protocol: 'auto', address: { kind: 'tcp', host: 'localhost', port: 3000 } },
  'tcp://db.internal:5432': { protocol: 'tcp', address: { kind: 'tcp', host: 'db.internal', port: 5432 } },
  'http+unix:///run/agent.sock': { protocol: 'http1', address: { kind: 'unix', path: '/run/agent.sock' } },
};
for (const [text, upstream] of Object.entries(UPSTREAMS)) {
  test(`${text} is an upstream`, () => assert.deepEqual(parseUpstream(text), upstream));
}

const NO_UPSTREAM = [
  '',
  'http:',
  'http://',
  'http://127.0.0.1',
  'http://127.0.0.1:0',
  'http://127.0.0.1:80/',
  'http://127.0.0.1:80/base',
  'http://127.0.0.1:80?x',
  'http://user@127.0.0.1:80',
  'http://127.0.0.1:80#x',
  'https://127.0.0.1:443',
  'HTTP://127.0.0.1:80',
  'ftp://127.0.0.1:21',
  '127.0.0.1:80',
  'toString://127.0.0.1:80',
  'http://127.1:80',
  'http://2130706433:80',
  'http://0x7f000001:80',
  'http://a..b:80',
  'http://-a:80',
  'http://a_b:80',
  'http://::1:80',
  'http+unix://run/agent.sock',
  'http+unix:///',
  'http+unix:///a\0b',
  'http+unix:///run/',
  `http+unix:///${'a'.repeat(103)}`,
  'unix:///run/agent.sock',
  `http://${'a.'.repeat(130)}b:80`,
  `http://${'a'.repeat(64)}:80`,
];
for (const text of NO_UPSTREAM) {
  test(`${JSON.stringify(text).slice(0, 60)} is no upstream`, () => assert.equal(parseUpstream(text), undefined));
}

const LOCAL = [
  'http://127.0.0.1:1',
  'http://127.255.255.254:1',
  'http://[::1]:1',
  'http://localhost:1',
  'http+unix:///a',
];
for (const text of LOCAL) {
  test(`${text} stays on this machine`, () => {
    const upstream = parseUpstream(text);
    assert.ok(upstream !== undefined && staysOnThisMachine(upstream));
  });
}

const REMOTE = [
  'http://10.0.0.1:1',
  'http://128.0.0.1:1',
  'http://0.0.0.0:1',
  'http://[::]:1',
  'http://[::2]:1',
  'http://[::ffff:127.0.0.1]:1',
  'http://127.0.0.1.example.org:1',
  'http://localhost.example.org:1',
  'tcp://db:5432',
];
for (const text of REMOTE) {
  test(`${text} may be another machine`, () => {
    const upstream = parseUpstream(text);
    assert.ok(upstream !== undefined && !staysOnThisMachine(upstream));
  });
}

test('property: what is read is in range, and no text throws', () => {
  const near = fc.string({ unit: fc.constantFrom(...'0123456789.:[]/abcdef@-% \0http+unix'.split('')) });
  fc.assert(
    fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => {
      const listen = parseListen(text);
      if (listen !== undefined) assert.ok(ipFamily(listen.host) !== undefined && listen.port <= 65_535);
      const upstream = parseUpstream(`http://${text}`);
      if (upstream?.address.kind === 'tcp') assert.ok(upstream.address.port >= 1 && upstream.address.port <= 65_535);
      parseUpstream(text);
    }),
    { numRuns: 1_000 },
  );
});

test('property: every IPv4 and IPv6 address with a port is read, and loopback is 127.0.0.0/8 and ::1 only', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 0, max: 65_535 }), (host, port) => {
      assert.deepEqual(parseListen(`${host}:${port}`), { host, port });
      assert.equal(isLoopback(host), host.split('.')[0] === '127');
    }),
  );
  fc.assert(
    fc.property(fc.ipV6(), fc.integer({ min: 0, max: 65_535 }), (host, port) => {
      const listen = parseListen(`[${host}]:${port}`);
      assert.equal(listen?.port, port);
      assert.equal(ipFamily(listen?.host ?? ''), 6);
    }),
  );
});
