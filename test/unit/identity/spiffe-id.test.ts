import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseSpiffeId, parseTrustDomain } from '../../../src/core/identity/spiffe-id.ts';

function refusal(text: string): string {
  const result = parseSpiffeId(text);
  assert.ok(!result.ok, text);
  assert.equal(result.error.code, 'peer_id_malformed');
  return result.error.detail;
}

function reading(text: string): unknown {
  const result = parseSpiffeId(text);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

test('SPIFFE-ID 2: trust domain and path are read', () => {
  assert.deepEqual(reading('spiffe://example.org/ns/agents/sa/researcher'), {
    id: 'spiffe://example.org/ns/agents/sa/researcher',
    trustDomain: 'example.org',
    path: '/ns/agents/sa/researcher',
  });
});

test('SPIFFE-ID 2: the ID of a trust domain has no path', () => {
  assert.deepEqual(reading('spiffe://example.org'), {
    id: 'spiffe://example.org',
    trustDomain: 'example.org',
    path: '',
  });
});

test('SPIFFE-ID 2.4: the scheme is read in any case and given back in lower case', () => {
  assert.deepEqual(reading('SPIFFE://example.org/A'), {
    id: 'spiffe://example.org/A',
    trustDomain: 'example.org',
    path: '/A',
  });
});

test('SPIFFE-ID 2: another scheme, or none, is refused', () => {
  for (const text of [
    'https://example.org/a',
    'spiffe:/example.org/a',
    'spiffe:example.org',
    '//example.org/a',
    '',
    ' spiffe://example.org/a',
  ]) {
    assert.match(refusal(text), /scheme/, text);
  }
});

test('SPIFFE-ID 2: query and fragment are refused, in trust domain and path', () => {
  for (const text of [
    'spiffe://example.org/a?b',
    'spiffe://example.org/a#b',
    'spiffe://example.org?b',
    'spiffe://example.org#b',
    'spiffe://example.org/a?',
  ]) {
    refusal(text);
  }
});

test('SPIFFE-ID 2.1: userinfo and port are refused', () => {
  for (const text of [
    'spiffe://user@example.org/a',
    'spiffe://example.org:443/a',
    'spiffe://example.org:/a',
    'spiffe://@example.org/a',
  ]) {
    assert.match(refusal(text), /trust domain/, text);
  }
});

test('SPIFFE-ID 2.1: an empty trust domain is refused', () => {
  for (const text of ['spiffe://', 'spiffe:///a']) assert.match(refusal(text), /empty/);
});

test('SPIFFE-ID 2.1: upper case, percent-encoding, IPv6 and foreign letters are no trust domain', () => {
  for (const host of [
    'Example.org',
    'example%2eorg',
    '[::1]',
    'exämple.org',
    'example org',
    'example\u0000.org',
    'example.org\n',
  ]) {
    assert.match(refusal(`spiffe://${host}/a`), /a-z 0-9/, host);
  }
});

test('SPIFFE-ID 2.1: what looks like an IPv4 address or no DNS name at all is a name like any other', () => {
  for (const host of ['10.0.0.1', '_', '-', '.', 'a..b', 'under_score']) reading(`spiffe://${host}/a`);
});

test('SPIFFE-ID 2.3: a trust domain has at most 255 bytes', () => {
  reading(`spiffe://${'a'.repeat(255)}/a`);
  assert.match(refusal(`spiffe://${'a'.repeat(256)}/a`), /255/);
});

test('SPIFFE-ID 2.3: an ID of 2048 bytes is read, one byte more is not', () => {
  const head = 'spiffe://example.org/';
  reading(head + 'a'.repeat(2048 - head.length));
  assert.match(refusal(head + 'a'.repeat(2049 - head.length)), /2048/);
});

test('SPIFFE-ID 2.2: empty segments and a trailing slash are refused', () => {
  for (const path of ['/', '//', '/a/', '/a//b', '//a'])
    assert.match(refusal(`spiffe://example.org${path}`), /empty segment/, path);
});

test('SPIFFE-ID 2.2: relative segments are refused, names that contain dots are not', () => {
  for (const path of ['/.', '/..', '/a/./b', '/a/../b', '/a/..'])
    assert.match(refusal(`spiffe://example.org${path}`), /relative/, path);
  for (const path of ['/...', '/.a', '/a.', '/..a/b']) reading(`spiffe://example.org${path}`);
});

test('SPIFFE-ID 2.2: percent-encoding and all other characters are refused', () => {
  for (const segment of [
    'a%2fb',
    '%61',
    'a b',
    'a,b',
    'a;b',
    'a:b',
    'a@b',
    'a~b',
    'a\\b',
    'ä',
    'a\u0000',
    'a\n',
    'a\r',
    '*',
  ]) {
    assert.match(refusal(`spiffe://example.org/${segment}`), /characters/, segment);
  }
});

test('a second ID injected by ", URI:" is refused', () => {
  refusal('spiffe://example.org/a, URI:spiffe://example.org/admin');
});

test('SPIFFE-ID 2.2: the path is case-sensitive', () => {
  assert.notDeepEqual(reading('spiffe://example.org/Agent'), reading('spiffe://example.org/agent'));
});

test('SPIFFE-ID 2.1: names of trust domains are read alone as well', () => {
  assert.deepEqual(parseTrustDomain('example.org'), { ok: true, value: 'example.org' });
  for (const wrong of ['', 'Example.org', 'spiffe://example.org', 'example.org/a', 'a'.repeat(256)]) {
    assert.equal(parseTrustDomain(wrong).ok, false, wrong);
  }
});

/** The standard's grammar in one expression, sizes aside. */
const REFERENCE = /^spiffe:\/\/[a-z0-9._-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/;

test('property: accepted is exactly what the reference expression accepts', () => {
  const part = fc.constantFrom(
    'a',
    'Z',
    '0',
    '.',
    '..',
    '-',
    '_',
    '/',
    '//',
    '%',
    '%2e',
    ':',
    '@',
    '?',
    '#',
    ' ',
    '\n',
    'é',
    '\u0000',
    'ns',
    ',',
  );
  const text = fc.array(part, { maxLength: 12 }).map((parts) => `spiffe://${parts.join('')}`);
  fc.assert(
    fc.property(text, (candidate) => {
      assert.equal(parseSpiffeId(candidate).ok, REFERENCE.test(candidate), candidate);
    }),
    { numRuns: 5000 },
  );
});

test('property: what is accepted is its own canonical form, and its parts make it up', () => {
  const name = fc.stringMatching(/^[a-z0-9._-]{1,20}$/);
  const segments = fc.array(fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,10}$/), { maxLength: 6 });
  fc.assert(
    fc.property(name, segments, (host, list) => {
      const path = list.map((segment) => `/${segment}`).join('');
      const result = parseSpiffeId(`spiffe://${host}${path}`);
      assert.ok(result.ok);
      assert.deepEqual(result.value, { id: `spiffe://${host}${path}`, trustDomain: host, path });
    }),
  );
});

test('property: any text gives a value or a fault, never a throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      assert.equal(typeof parseSpiffeId(text).ok, 'boolean');
    }),
  );
});
