import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { CertificateFacts, IdentifiedPeer } from '../../../src/core/model/peer.ts';
import { hasForbiddenBytes } from '../../../src/core/request/characters.ts';
import { forwardedClientCert } from '../../../src/core/request/client-cert.ts';

const BY = 'spiffe://example.org/ns/agents/sa/researcher' as SpiffeId;
const HASH = 'ab'.repeat(32);

function peer(facts: Partial<CertificateFacts> = {}): IdentifiedPeer {
  return {
    kind: 'identified',
    spiffeId: 'spiffe://example.org/ns/agents/sa/caller' as SpiffeId,
    trustDomain: 'example.org' as TrustDomain,
    path: '/ns/agents/sa/caller',
    certificate: {
      serial: '1',
      notBeforeMs: 0,
      notAfterMs: 1,
      sha256: HASH,
      spkiSha256: HASH,
      issuer: 'CN=issuer',
      subject: 'CN=caller,O=Example',
      dnsNames: [],
      der: new Uint8Array(),
      ...facts,
    },
    validUntilMs: 1,
  };
}

function subjectOf(subject: string): string {
  const header = forwardedClientCert(peer({ subject }), undefined);
  const start = header.indexOf('Subject="') + 'Subject="'.length;
  return header.slice(start, header.indexOf('";URI='));
}

/** Reads an element as a careful reader of Envoy's format does: pairs at `;` outside quotes, `\"` a quote. */
function readElement(element: string, doubleBackslashEscapes: boolean): readonly [string, string][] {
  const pairs: [string, string][] = [];
  let at = 0;
  while (at < element.length) {
    const equals = element.indexOf('=', at);
    const key = element.slice(at, equals);
    let value = '';
    at = equals + 1;
    const quoted = element[at] === '"';
    if (quoted) at++;
    for (; at < element.length; at++) {
      const escape =
        element[at] === '\\' && (element[at + 1] === '"' || (doubleBackslashEscapes && element[at + 1] === '\\'));
      if (quoted && escape) at++;
      else if (quoted ? element[at] === '"' : element[at] === ';') break;
      value += element[at];
    }
    if (quoted) at++;
    assert.ok(at >= element.length || element[at] === ';', `garbage after a value in ${element}`);
    at++;
    pairs.push([key, value]);
  }
  return pairs;
}

describe('Envoy x-forwarded-client-cert', () => {
  test('By, Hash, Subject in quotes, URI, DNS, in Envoy’s order', () => {
    const header = forwardedClientCert(peer({ dnsNames: ['caller.example.org', '*.caller.internal'] }), BY);
    assert.equal(
      header,
      `By=${BY};Hash=${HASH};Subject="CN=caller,O=Example";URI=spiffe://example.org/ns/agents/sa/caller;DNS=caller.example.org;DNS=*.caller.internal`,
    );
  });

  test('By is left out until our own certificate is loaded; an empty subject stays in quotes', () => {
    const header = forwardedClientCert(peer({ subject: '' }), undefined);
    assert.equal(header, `Hash=${HASH};Subject="";URI=spiffe://example.org/ns/agents/sa/caller`);
  });

  test('a value with , ; = or " is quoted (no SPIFFE ID can have one, the rule is kept all the same)', () => {
    const odd = { ...peer(), spiffeId: 'spiffe://example.org/a;b=",c' as SpiffeId };
    assert.ok(forwardedClientCert(odd, undefined).endsWith('URI="spiffe://example.org/a;b=\\",c"'));
  });
});

describe('RFC 4514 subjects between quotes', () => {
  const cases: readonly [string, string][] = [
    ['CN=plain', 'CN=plain'],
    ['CN=a;b,O=c=d', 'CN=a;b,O=c=d'],
    [String.raw`CN=a\,b\+c`, String.raw`CN=a\,b\+c`],
    ['CN=a"b', String.raw`CN=a\"b`],
    [String.raw`CN=a\"b`, String.raw`CN=a\"b`],
    [String.raw`CN=a\\`, String.raw`CN=a\5C`],
    [String.raw`CN=a\\"b`, String.raw`CN=a\5C\"b`],
    [String.raw`CN=a\\\"b`, String.raw`CN=a\5C\"b`],
    ['CN=a\\', String.raw`CN=a\5C`],
    ['CN=caf\u00e9', String.raw`CN=caf\C3\A9`],
    ['CN=a\r\nX-Evil: 1', String.raw`CN=a\0D\0AX-Evil: 1`],
    ['CN=a\0b', String.raw`CN=a\00b`],
    ['CN=a\\\0', String.raw`CN=a\5C\00`],
    ['CN=\u{1f511}', String.raw`CN=\F0\9F\94\91`],
  ];
  for (const [subject, escaped] of cases) {
    test(JSON.stringify(subject), () => assert.equal(subjectOf(subject), escaped));
  }
});

describe('Envoy CVE-2026-47778, Node CVE-2021-44532: what is no DNS name is left out', () => {
  const names = [
    '',
    'a b',
    'a;URI=spiffe://evil/x',
    'a"',
    'a,DNS=b',
    'a\0.example.org',
    'a\r\nb',
    'caf\u00e9',
    'a=b',
    'a/b',
  ];
  for (const name of names) {
    test(JSON.stringify(name), () => {
      assert.ok(!forwardedClientCert(peer({ dnsNames: [name] }), BY).includes('DNS='));
      assert.ok(forwardedClientCert(peer({ dnsNames: [name, 'ok.example.org'] }), BY).endsWith(';DNS=ok.example.org'));
    });
  }
  test('and no more than 32 are passed on', () => {
    const dnsNames = Array.from({ length: 1000 }, (_, index) => `n${index}`);
    assert.equal(forwardedClientCert(peer({ dnsNames }), BY).match(/;DNS=/g)?.length, 32);
  });
});

test('property: whatever the certificate says, the element has the pairs we wrote, to either kind of reader, in visible ASCII', () => {
  const nasty = fc.string({
    unit: fc.constantFrom(...'\\";,= a\0\r\n\u00e9'.split(''), '🔑', '\ud800'),
    maxLength: 12,
  });
  fc.assert(
    fc.property(nasty, fc.array(nasty, { maxLength: 3 }), (subject, dnsNames) => {
      const header = forwardedClientCert(peer({ subject, dnsNames }), BY);
      assert.ok(!hasForbiddenBytes(header));
      for (const doubled of [true, false]) {
        const keys = readElement(header, doubled).map(([key]) => key);
        assert.deepEqual(keys.slice(0, 4), ['By', 'Hash', 'Subject', 'URI']);
        assert.ok(keys.slice(4).every((key) => key === 'DNS'));
      }
      assert.deepEqual(readElement(header, true), readElement(header, false));
    }),
    { numRuns: 1000 },
  );
});

test('what was made for a certificate serves no other certificate, identity or agent', () => {
  const first = peer();
  const text = forwardedClientCert(first, BY);
  assert.equal(forwardedClientCert({ ...first, validUntilMs: 2 }, BY), text);
  assert.equal(forwardedClientCert(first, undefined), text.replace(`By=${BY};`, ''));
  assert.equal(forwardedClientCert(first, BY), text);
  const other = 'spiffe://example.org/ns/agents/sa/other' as SpiffeId;
  assert.equal(forwardedClientCert({ ...first, spiffeId: other }, BY), text.replace(first.spiffeId, other));
  assert.equal(forwardedClientCert(peer({ sha256: 'cd'.repeat(32) }), BY), text.replace(HASH, 'cd'.repeat(32)));
});
