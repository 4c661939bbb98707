import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { FaultCode } from '../../../src/core/model/faults.ts';
import type { LeafOptions } from '../../support/pki.ts';
import { createAuthority } from '../../support/pki.ts';
import { commonName, extension, generalName } from '../../support/pki-certificate.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { codeOf, judge, trustIn } from './judging.ts';

const keys = createKeyPair();
const root = createAuthority();
const trust = trustIn([root]);

type Subtrees = { readonly permitted?: readonly Uint8Array[]; readonly excluded?: readonly Uint8Array[] };

/** The verdict on a leaf below an intermediate with these constraints. */
function codeUnder({ permitted = [], excluded = [] }: Subtrees, leaf: LeafOptions = {}): FaultCode | 'identified' {
  const limited = root.intermediate({ keys, extensions: [extension.nameConstraints(permitted, excluded)] });
  return codeOf(judge(limited.issue({ keys, ...leaf }).chain, trust));
}

const VIOLATED = 'peer_name_constraint_violated';
const { uri, dns, email, ip, directory, other } = generalName;

test('RFC 5280 4.2.1.10: a URI constraint without leading dot is one host', () => {
  assert.equal(codeUnder({ permitted: [uri('example.org')] }), 'identified');
  assert.equal(codeUnder({ permitted: [uri('EXAMPLE.org')] }), 'identified');
  assert.equal(codeUnder({ permitted: [uri('org')] }), VIOLATED);
  assert.equal(codeUnder({ permitted: [uri('example.com')] }), VIOLATED);
  assert.equal(codeUnder({ permitted: [uri('')] }), VIOLATED);
});

test('RFC 5280 4.2.1.10: a URI constraint with a leading dot is every host below, not the host itself', () => {
  const sub = createAuthority({ trustDomain: 'a.example.org' });
  const codeIn = (permitted: string): string => {
    const limited = sub.intermediate({ keys, extensions: [extension.nameConstraints([uri(permitted)], [])] });
    return codeOf(judge(limited.issue({ keys }).chain, trustIn([sub])));
  };
  assert.equal(codeIn('.example.org'), 'identified');
  assert.equal(codeIn('.org'), 'identified');
  assert.equal(codeIn('.a.example.org'), VIOLATED);
  assert.equal(codeIn('example.org'), VIOLATED);
  assert.equal(codeIn('.xample.org'), VIOLATED);
});

test('RFC 5280 4.2.1.10: excluded wins over permitted', () => {
  assert.equal(codeUnder({ excluded: [uri('example.org')] }), VIOLATED);
  assert.equal(codeUnder({ excluded: [uri('example.com'), uri('.example.org')] }), 'identified');
  assert.equal(codeUnder({ permitted: [uri('example.org')], excluded: [uri('example.org')] }), VIOLATED);
});

test('RFC 5280 4.2.1.10: one of several permitted subtrees is enough', () => {
  assert.equal(codeUnder({ permitted: [uri('example.com'), uri('example.org')] }), 'identified');
});

test('RFC 5280 4.2.1.10: under a URI constraint an IP address for a host is refused', () => {
  const numeric = createAuthority({ trustDomain: '10.0.0.1' });
  const limited = numeric.intermediate({
    keys,
    uris: [],
    extensions: [extension.nameConstraints([uri('10.0.0.1')], [])],
  });
  assert.equal(codeOf(judge(limited.issue({ keys }).chain, trustIn([numeric]))), VIOLATED);
  assert.equal(codeOf(judge(numeric.issue({ keys }).chain, trustIn([numeric]))), 'identified');
});

test('RFC 5280 4.2.1.10: a constraint binds the intermediates below as well', () => {
  const limited = createAuthority({ extensions: [extension.nameConstraints([uri('example.org')], [])] });
  const below = (uris: readonly string[]): string =>
    codeOf(judge(limited.intermediate({ uris }).issue({ keys }).chain, trustIn([limited])));
  assert.equal(below(['spiffe://example.org']), 'identified');
  assert.equal(below(['https://user@example.org:443/ca']), 'identified');
  assert.equal(below(['https://example.com/example.org']), VIOLATED);
  assert.equal(below(['https://example.org@example.com/']), VIOLATED);
  assert.equal(below(['https://[2001:db8::1]/']), VIOLATED);
  assert.equal(below(['urn:example.org']), VIOLATED);
});

test('RFC 5280 6.1.3 b: self-issued intermediates are not bound, what is below them is', () => {
  const limited = createAuthority({
    subject: 'Same',
    extensions: [extension.nameConstraints([uri('example.org')], [])],
  });
  const rollover = limited.intermediate({ subject: 'Same', uris: ['https://elsewhere.org'] });
  assert.equal(codeOf(judge(rollover.issue({ keys }).chain, trustIn([limited]))), 'identified');
  const excluding = createAuthority({
    subject: 'Same',
    extensions: [extension.nameConstraints([], [uri('example.org')])],
  });
  const below = excluding.intermediate({ subject: 'Same' }).issue({ keys });
  assert.equal(codeOf(judge(below.chain, trustIn([excluding]))), VIOLATED);
});

test('RFC 5280 6.1.3 b: a leaf that has the name of its issuer is bound all the same', () => {
  const limited = createAuthority({
    subject: 'Same',
    extensions: [extension.nameConstraints([], [uri('example.org')])],
  });
  assert.equal(codeOf(judge(limited.issue({ keys, subject: 'Same' }).chain, trustIn([limited]))), VIOLATED);
});

test('the constraints of an anchor count', () => {
  const limited = createAuthority({ extensions: [extension.nameConstraints([uri('example.com')], [])] });
  assert.equal(codeOf(judge(limited.issue({ keys }).chain, trustIn([limited]))), VIOLATED);
});

test('RFC 5280 4.2.1.10: a DNS constraint is the name and all below it', () => {
  const permitted = [dns('example.org')];
  assert.equal(
    codeUnder({ permitted }, { dnsNames: ['example.org', 'a.example.org', 'A.B.EXAMPLE.org'] }),
    'identified',
  );
  assert.equal(codeUnder({ permitted }, { dnsNames: ['a.example.org', 'example.com'] }), VIOLATED);
  assert.equal(codeUnder({ permitted }, { dnsNames: ['badexample.org'] }), VIOLATED);
  assert.equal(codeUnder({ permitted: [dns('')] }, { dnsNames: ['anything.test'] }), 'identified');
  assert.equal(codeUnder({ permitted: [dns('.example.org')] }, { dnsNames: ['a.example.org'] }), 'identified');
  assert.equal(codeUnder({ permitted: [dns('.example.org')] }, { dnsNames: ['example.org'] }), VIOLATED);
  assert.equal(codeUnder({ excluded: [dns('example.org')] }, { dnsNames: ['a.example.org'] }), VIOLATED);
  assert.equal(codeUnder({ excluded: [dns('')] }, { dnsNames: ['a.example.com'] }), VIOLATED);
  assert.equal(codeUnder({ excluded: [dns('example.org')] }, { dnsNames: ['a.example.com'] }), 'identified');
});

test('a wildcard is excluded when any name it stands for is', () => {
  assert.equal(codeUnder({ excluded: [dns('bad.example.org')] }, { dnsNames: ['*.example.org'] }), VIOLATED);
  assert.equal(codeUnder({ excluded: [dns('bad.example.com')] }, { dnsNames: ['*.example.org'] }), 'identified');
  assert.equal(codeUnder({ permitted: [dns('bad.example.org')] }, { dnsNames: ['*.example.org'] }), VIOLATED);
  assert.equal(codeUnder({ permitted: [dns('example.org')] }, { dnsNames: ['*.example.org'] }), 'identified');
});

test('RFC 5280 4.2.1.10: a constraint of a form that the leaf has no name of binds nothing', () => {
  const permitted = [email('example.com'), dns('example.com'), ip(Buffer.alloc(8)), directory(commonName('X'))];
  assert.equal(codeUnder({ permitted }), 'identified');
});

test('RFC 5280 4.2.1.10: a constraint that is not processed refuses what has a name of its form', () => {
  const address = Buffer.from([10, 0, 0, 1]);
  assert.equal(codeUnder({ permitted: [ip(Buffer.alloc(8))] }, { otherNames: [ip(address)] }), VIOLATED);
  assert.equal(codeUnder({ permitted: [email('example.org')] }, { otherNames: [email('a@example.org')] }), VIOLATED);
  assert.equal(codeUnder({ permitted: [directory(commonName('agent'))] }, { subject: 'agent' }), VIOLATED);
  assert.equal(codeUnder({ excluded: [directory(commonName('other'))] }, { subject: 'agent' }), VIOLATED);
  assert.equal(
    codeUnder({ excluded: [directory(commonName('other'))] }, { otherNames: [directory(commonName('a'))] }),
    VIOLATED,
  );
  assert.equal(
    codeUnder(
      { permitted: [other('1.2.3', Buffer.from([5, 0]))] },
      { otherNames: [other('1.2.3', Buffer.from([5, 0]))] },
    ),
    VIOLATED,
  );
});

test('the worst that fits into certificates is judged within a bounded number of comparisons', () => {
  const many = Array.from({ length: 128 }, (_, i) => dns(`${'a'.repeat(60)}${i}.example.org`));
  const names = Array.from({ length: 127 }, (_, i) => `${'b'.repeat(60)}${i}.example.org`);
  assert.equal(codeUnder({ excluded: many }, { dnsNames: names }), 'identified');
  assert.equal(codeUnder({ permitted: many }, { dnsNames: names }), VIOLATED);
});

test('property: a permitted URI host lets exactly that trust domain pass, a dotted one exactly those below', () => {
  const label = fc.constantFrom('a', 'b', 'ab');
  const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
  fc.assert(
    fc.property(host, host, fc.boolean(), (trustDomain, wanted, dotted) => {
      const base = dotted ? `.${wanted}` : wanted;
      const authority = createAuthority({
        trustDomain,
        keys,
        extensions: [extension.nameConstraints([uri(base)], [])],
      });
      const labels = trustDomain.split('.');
      const expected = dotted
        ? labels.slice(1).some((_, i) => labels.slice(i + 1).join('.') === wanted)
        : trustDomain === wanted;
      const code = codeOf(judge(authority.issue({ keys }).chain, trustIn([authority])));
      assert.equal(code, expected ? 'identified' : VIOLATED);
    }),
    { numRuns: 100 },
  );
});
