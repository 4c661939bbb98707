import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { readAuthority } from '../../../src/core/request/authority.ts';
import { accepted, http1, http2, refusal } from '../../support/raw-head.ts';

function refused(text: string): boolean {
  const read = readAuthority(text);
  if (typeof read !== 'string') assert.equal(read.code, 'host_invalid');
  return typeof read !== 'string';
}

describe('RFC 9110 7.2: host and port', () => {
  const sound: readonly [string, string][] = [
    ['a', 'a'],
    ['agent.example.org', 'agent.example.org'],
    ['agent.example.org:8443', 'agent.example.org:8443'],
    ['10.0.0.7', '10.0.0.7'],
    ['10.0.0.7:1', '10.0.0.7:1'],
    ['my_service:65535', 'my_service:65535'],
    ['[::1]', '[::1]'],
    ['[::1]:443', '[::1]:443'],
    ['[2001:DB8::7]:443', '[2001:db8::7]:443'],
    ['[::ffff:10.0.0.7]', '[::ffff:10.0.0.7]'],
    ['xn--caf-dma.example.org', 'xn--caf-dma.example.org'],
  ];
  for (const [text, authority] of sound) test(text, () => assert.equal(readAuthority(text), authority));

  test('Istio CVE-2021-39155: the host is in lower case for everyone', () => {
    assert.equal(readAuthority('Agent.Example.ORG:80'), 'agent.example.org:80');
    assert.equal(accepted({ ...http1(), headers: ['Host', 'AGENT'] }).authority, 'agent');
    assert.equal(accepted(http2({ ':authority': 'AGENT' })).authority, 'agent');
  });

  const malformed = [
    '',
    ' ',
    'a b',
    'user@a',
    'user:pass@a',
    'a@b:80',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    'a,b',
    'a, b',
    'a;b',
    'a%2eb',
    'a..b',
    '.a',
    'a.',
    'a.:80',
    '.',
    ':80',
    'a:',
    'a:0',
    'a:080',
    'a:65536',
    'a:99999',
    'a:123456',
    'a:80:80',
    'a:8o',
    'a:-1',
    'a:+80',
    'a: 80',
    '[::1',
    '::1',
    '[]',
    '[::1]a',
    '[::1]:',
    '[::1%25eth0]',
    '[::1%eth0]',
    '[v1.a]',
    '[:::]',
    '[::1::2]',
    '[1:2:3:4:5:6:7]',
    '[1:2:3:4:5:6:7:8:9]',
    '[1:2:3:4:5:6:7:8::]',
    '[12345::]',
    '[g::]',
    '[::10.0.0.256]',
    '[::10.0.0]',
    '[::10.0.0.07]',
    '[10.0.0.1::]',
    'caf\u00e9.org',
    'a\0',
    'a\r\nb',
    'a'.repeat(254),
  ];
  for (const text of malformed)
    test(`${JSON.stringify(text.slice(0, 40))} is malformed`, () => assert.ok(refused(text)));

  test('RFC 1035 2.3.4: 253 characters are the most', () => {
    assert.ok(!refused('a'.repeat(253)));
    assert.ok(refused('a'.repeat(254)));
  });
});

describe('RFC 9112 3.2: Host is there exactly once', () => {
  test('missing', () => {
    assert.equal(refusal({ ...http1(), headers: [] }), 'host_invalid');
    assert.equal(refusal({ ...http1({ version: '1.0' }), headers: ['Accept', '*/*'] }), 'host_invalid');
  });
  test('empty or malformed', () => {
    assert.equal(refusal({ ...http1(), headers: ['Host', ''] }), 'host_invalid');
    assert.equal(refusal({ ...http1(), headers: ['Host', 'user@agent'] }), 'host_invalid');
  });
  test('twice, equal or not, in any case', () => {
    assert.equal(refusal(http1({}, 'Host', 'agent.example.org')), 'host_invalid');
    assert.equal(refusal(http1({}, 'host', 'evil.example.org')), 'host_invalid');
    assert.equal(refusal(http1({}, 'HOST', 'evil.example.org')), 'host_invalid');
  });
  test('is no field of the canonical request', () => {
    assert.ok(!accepted(http1()).headers.includes('host'));
  });
});

test('property: what passes is a fixed point, and a WHATWG URL finds no userinfo, path or other host in it', () => {
  const characters = fc.constantFrom(...'aB1.-_:@[]/\\%,?#; 0'.split(''));
  let passed = 0;
  fc.assert(
    fc.property(fc.string({ unit: characters, maxLength: 14 }), (text) => {
      const authority = readAuthority(text);
      if (typeof authority !== 'string') return;
      passed++;
      assert.equal(readAuthority(authority), authority);
      // Labels that WHATWG reads as numbers (`1.`, `0x1`) or as punycode are not names it leaves alone; only its structure is of interest here.
      if (!/[a-z][^.:]*(?::\d+)?$/.test(authority) || authority.includes('--')) return;
      const url = new URL(`https://${authority}/x`);
      assert.deepEqual([url.username, url.password, url.pathname], ['', '', '/x']);
      assert.equal(url.host.replace(/:443$/, ''), authority.replace(/:443$/, ''));
    }),
    { numRuns: 3000 },
  );
  assert.ok(passed > 50, `only ${passed} passed`);
});

test('property: IPv6 literals are those that the system library takes', () => {
  const parts = fc.array(fc.constantFrom('::', ':', '1', 'abcd', '0', '12345', '10.0.0.1', 'f'), { maxLength: 17 });
  fc.assert(
    fc.property(
      fc.oneof(
        parts.map((pieces) => pieces.join('')),
        fc.ipV6(),
      ),
      (text) => {
        assert.equal(typeof readAuthority(`[${text}]`) === 'string', isIPv6(text), text);
      },
    ),
    { numRuns: 3000 },
  );
});
