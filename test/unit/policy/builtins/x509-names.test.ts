import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import type { BuiltinContext } from '../../../../src/core/policy/builtin.ts';
import { readMailbox } from '../../../../src/core/policy/builtins/mailbox.ts';
import { isDomain } from '../../../../src/core/policy/builtins/x509-extensions.ts';
import { FREE, limited } from '../../../support/builtin-call.ts';
import { answer } from '../../../support/json-builtin.ts';
import { extension, generalName } from '../../../support/pki-certificate.ts';
import { createAuthority } from '../../../support/pki.ts';

const VERIFY = 'crypto.x509.parse_and_verify_certificates';
const VERIFY_WITH = 'crypto.x509.parse_and_verify_certificates_with_options';
const nowNs = (): string => `${Date.now()}000000`;
const NOW: BuiltinContext = { ...FREE, nowNs };

const root = createAuthority({ uris: [] });
type Names = readonly Uint8Array[];

function chain(permitted: Names, excluded: Names, names: Names): string {
  const extensions = permitted.length + excluded.length === 0 ? [] : [extension.nameConstraints(permitted, excluded)];
  const middle = root.intermediate({ uris: [], extensions });
  const leaf = middle.issue({ uris: [], subject: 'leaf', otherNames: names });
  return Buffer.concat([root.certificate.der, middle.certificate.der, leaf.der]).toString('base64');
}

function allowed(permitted: Names, excluded: Names, names: Names): boolean {
  return (answer(VERIFY, [chain(permitted, excluded, names)], NOW) as [boolean])[0];
}

const { dns, email, uri } = generalName;
const ip = (...bytes: readonly number[]): Uint8Array => generalName.ip(Buffer.from(bytes));
const FOURTEEN_ZEROS = Array.from({ length: 14 }, () => 0);
const TEN = ip(10, 0, 0, 0, 255, 0, 0, 0);

describe('RFC 5280 4.2.1.10: which names constraints permit', () => {
  const cases: readonly (readonly [string, Uint8Array, Uint8Array, boolean])[] = [
    ['a domain itself', dns('a.org'), dns('a.org'), true],
    ['a domain below', dns('a.org'), dns('x.y.a.org'), true],
    ['a domain whose end only looks alike', dns('a.org'), dns('ba.org'), false],
    ['a domain above', dns('x.a.org'), dns('a.org'), false],
    ['in any case', dns('A.oRg'), dns('x.a.ORG'), true],
    ['a point before it: below only', dns('.a.org'), dns('a.org'), false],
    ['a point before it: below', dns('.a.org'), dns('x.a.org'), true],
    ['an empty constraint is everything', dns(''), dns('any.org'), true],
    ['a wildcard below', dns('a.org'), dns('*.a.org'), true],
    ['a wildcard above', dns('x.a.org'), dns('*.a.org'), false],
    ['an address in the range', TEN, ip(10, 9, 8, 7), true],
    ['an address outside', TEN, ip(11, 0, 0, 0), false],
    ['an IPv6 address with the same first bytes', TEN, ip(10, 0, ...FOURTEEN_ZEROS), false],
    ['an address of the other family', TEN, ip(...Array.from({ length: 16 }, () => 0)), false],
    ['an IPv4 address in IPv6', TEN, ip(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1), false],
    [
      'a range of IPv6',
      ip(0x20, 1, ...FOURTEEN_ZEROS, 255, 255, ...FOURTEEN_ZEROS),
      ip(0x20, 1, ...Array.from({ length: 14 }, () => 9)),
      true,
    ],
    ['a mailbox on the host', email('a.org'), email('me@a.org'), true],
    ['a mailbox on a host below', email('a.org'), email('me@x.a.org'), true],
    ['a mailbox below a point only', email('.a.org'), email('me@a.org'), false],
    ['this mailbox', email('me@a.org'), email('me@A.ORG'), true],
    ['another mailbox', email('me@a.org'), email('you@a.org'), false],
    ['a mailbox in another case', email('me@a.org'), email('Me@a.org'), false],
    ['this mailbox in quotes', email('me@a.org'), email('"me"@a.org'), true],
    ['this mailbox on a host below', email('me@a.org'), email('me@x.a.org'), false],
    ['a URI of the domain', uri('a.org'), uri('https://a.org/x'), true],
    ['a URI with a port', uri('a.org'), uri('https://x.A.org:80/'), true],
    ['a URI of another domain', uri('a.org'), uri('https://b.org/'), false],
    ['a URI with the domain as user', uri('a.org'), uri('https://a.org@b.org/'), false],
    ['a URI without a host', uri('a.org'), uri('urn:a.org'), false],
    ['a URI with an address', uri('a.org'), uri('https://1.2.3.4/'), false],
    ['a URI with an IPv6 address', uri('a.org'), uri('https://[::1]:1/'), false],
    ['a URI with two colons in its host', uri('a.org'), uri('x://a.org:1:2/'), false],
  ];
  for (const [title, constraint, name, want] of cases)
    test(title, () => assert.equal(allowed([constraint], [], [name]), want));

  test('one permitted of several will do, and other kinds of names are free', () => {
    assert.equal(allowed([dns('b.org'), dns('a.org')], [], [dns('a.org')]), true);
    assert.equal(allowed([dns('a.org')], [], [email('me@b.org'), ip(1, 2, 3, 4)]), true);
    assert.equal(allowed([dns('a.org')], [], [dns('a.org'), dns('b.org')]), false);
  });
});

describe('RFC 5280 4.2.1.10: which names constraints exclude', () => {
  const cases: readonly (readonly [string, Uint8Array, Uint8Array, boolean])[] = [
    ['a domain itself', dns('a.org'), dns('a.org'), false],
    ['a domain below', dns('a.org'), dns('x.a.org'), false],
    ['another domain', dns('a.org'), dns('b.org'), true],
    ['a wildcard that may be the excluded name', dns('x.a.org'), dns('*.a.org'), false],
    ['a wildcard of another domain', dns('x.a.org'), dns('*.b.org'), true],
    ['a wildcard one label above', dns('x.y.a.org'), dns('*.a.org'), true],
    ['an empty constraint is everything', dns(''), dns('any.org'), false],
    ['an address in the range', TEN, ip(10, 0, 0, 1), false],
    ['an address outside', TEN, ip(11, 0, 0, 1), true],
    ['a mailbox of the domain', email('a.org'), email('me@x.a.org'), false],
    ['this mailbox', email('me@a.org'), email('me@a.org'), false],
    ['another mailbox', email('me@a.org'), email('you@a.org'), true],
    ['a URI of the domain', uri('a.org'), uri('https://a.org/'), false],
    ['another URI', uri('a.org'), uri('https://b.org/'), true],
    ['a URI with an address, which cannot be judged', uri('a.org'), uri('https://1.2.3.4/'), false],
    ['a URI without a host, which cannot be judged', uri('a.org'), uri('urn:x'), false],
  ];
  for (const [title, constraint, name, want] of cases)
    test(title, () => assert.equal(allowed([], [constraint], [name]), want));

  test('what is excluded is not permitted by another constraint', () => {
    assert.equal(allowed([dns('a.org')], [dns('x.a.org')], [dns('x.a.org')]), false);
    assert.equal(allowed([dns('a.org')], [dns('x.a.org')], [dns('y.a.org')]), true);
  });
});

describe('RFC 5280 6.1.3 (b), (c): constraints hold for everything below them', () => {
  const inner = (constraints: Names, leafNames: Names, middleNames: Names = []): unknown => {
    const top = createAuthority({ uris: [], extensions: [extension.nameConstraints(constraints, [])] });
    const middle = top.intermediate({ uris: [], otherNames: middleNames });
    const leaf = middle.issue({ uris: [], subject: 'leaf', otherNames: leafNames });
    return (
      answer(
        VERIFY,
        [Buffer.concat([top.certificate.der, middle.certificate.der, leaf.der]).toString('base64')],
        NOW,
      ) as unknown[]
    )[0];
  };
  test('those of the root for the leaf', () => {
    assert.equal(inner([dns('a.org')], [dns('a.org')]), true);
    assert.equal(inner([dns('a.org')], [dns('b.org')]), false);
  });
  test('and for the authority between', () =>
    assert.equal(inner([dns('a.org')], [dns('a.org')], [dns('b.org')]), false));
  test('a certificate is not under its own', () => {
    const top = createAuthority({
      uris: [],
      otherNames: [dns('b.org')],
      extensions: [extension.nameConstraints([dns('a.org')], [])],
    });
    const leaf = top.issue({ uris: [], subject: 'leaf', otherNames: [dns('a.org')] });
    assert.equal(
      (answer(VERIFY, [Buffer.concat([top.certificate.der, leaf.der]).toString('base64')], NOW) as unknown[])[0],
      true,
    );
  });

  const malformed: readonly (readonly [string, Names])[] = [
    ['a domain with an empty label', [dns('a..org')]],
    ['a domain with a point at its end', [dns('a.org.')]],
    ['a domain that is not ASCII', [dns('\u00e9.org')]],
    ['a mask with holes', [ip(10, 0, 0, 0, 255, 0, 255, 0)]],
    ['a range of six bytes', [ip(1, 2, 3, 4, 5, 6)]],
    ['an address without a mask', [ip(1, 2, 3, 4)]],
    ['a mailbox that is none', [email('a b@c')]],
    ['a mailbox without a local part', [email('@b')]],
    ['a URI constraint that is an address', [uri('1.2.3.4')]],
  ];
  for (const [title, names] of malformed)
    test(`malformed: ${title}`, () => assert.equal(allowed(names, [], []), false));

  test('a critical constraint of a kind that nobody judges refuses the chain', () => {
    assert.equal(allowed([generalName.directory(Buffer.from([0x30, 0]))], [], []), false);
  });

  test('comparing names is paid for: a thousand under a thousand end the evaluation', () => {
    const many = Array.from({ length: 1000 }, () => dns('a'));
    const others = Array.from({ length: 1000 }, () => dns('b'));
    const text = chain([], many, others);
    const context = { ...limited(250_000_000), nowNs };
    assert.equal((answer(VERIFY, [chain([], [dns('a')], others)], context) as unknown[])[0], true);
    assert.throws(() => answer(VERIFY, [text], { ...limited(250_000_000), nowNs }), EvaluationHalt);
  });
});

describe('RFC 9525 6: the host that a certificate is good for', () => {
  const leaf = root.issue({
    uris: [],
    subject: 'cn.org',
    dnsNames: ['a.org', '*.w.org', 'x*.p.org', 'B.ORG', '*', '_s.org', 'point.org.'],
    otherNames: [ip(10, 1, 2, 3), ip(...Array.from({ length: 15 }, () => 0), 1)],
  });
  const text = Buffer.concat([root.certificate.der, leaf.der]).toString('base64');
  const cases: readonly (readonly [string, boolean])[] = [
    ['a.org', true],
    ['A.Org', true],
    ['a.org.', true],
    ['x.a.org', false],
    ['a.org.evil', false],
    ['b.org', true],
    ['x.w.org', true],
    ['x.y.w.org', false],
    ['w.org', false],
    ['.w.org', false],
    ['xy.p.org', false],
    ['x*.p.org', true],
    ['*.w.org', true],
    ['cn.org', false],
    ['anything', false],
    ['_s.org', true],
    ['-a.org', false],
    ['10.1.2.3', true],
    ['[10.1.2.3]', true],
    ['::ffff:10.1.2.3', true],
    ['10.1.2.4', false],
    ['::1', true],
    ['[::1]', true],
    ['0:0:0:0:0:0:0:1', true],
    ['[::2]', false],
    ['point.org', false],
  ];
  for (const [host, want] of cases)
    test(host, () => assert.equal((answer(VERIFY_WITH, [text, { DNSName: host }], NOW) as unknown[])[0], want));

  test('quotes around the host are taken off, as in OPA', () => {
    assert.equal((answer(VERIFY_WITH, [text, { DNSName: '"a.org"' }], NOW) as unknown[])[0], true);
  });
});

describe('RFC 2821 4.1.2: mailboxes', () => {
  const good: readonly (readonly [string, string, string])[] = [
    ['a@b', 'a', 'b'],
    ['a.b@c.d', 'a.b', 'c.d'],
    ['"a b"@c', 'a b', 'c'],
    ['"a\\"b"@c', 'a"b', 'c'],
    ['a\\@b@c', 'a@b', 'c'],
    ['a@', 'a', ''],
    ["!#$%&'*+-/=?^_`{|}~@c", "!#$%&'*+-/=?^_`{|}~", 'c'],
  ];
  for (const [text, local, domain] of good) test(text, () => assert.deepEqual(readMailbox(text), { local, domain }));
  for (const text of [
    '',
    'a',
    '@b',
    '.a@b',
    'a.@b',
    'a..b@c',
    '"a@b',
    'a b@c',
    'a@b..c',
    'a@b c',
    'a@b.',
    'a@.b',
    '"a"b@c',
    'a\\',
  ])
    test(`no mailbox: ${text}`, () => assert.equal(readMailbox(text), undefined));
  test('any text is one or none, and its local part stands in it', () => {
    const unit = fc.constantFrom('a', '.', '@', '"', '\\', ' ', '\u00e9');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 10 }), (text) =>
        assert.ok((readMailbox(text)?.local ?? '').length <= text.length),
      ),
    );
  });
});

test('domains of certificates: printable labels that are not empty', () => {
  for (const name of ['', 'a', 'a.b', '*.b', '~!']) assert.ok(isDomain(name, false), name);
  for (const name of ['.a', 'a.', 'a..b', 'a b', '\u00e9', '.']) assert.ok(!isDomain(name, false), name);
  assert.ok(isDomain('.a', true));
  assert.ok(!isDomain('..a', true));
});
