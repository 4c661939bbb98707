import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { listsMissingIn, withoutRollback } from '../../../src/core/identity/newest-lists.ts';
import { createAuthority } from '../../support/pki.ts';
import type { CrlOptions } from '../../support/pki-crl.ts';
import { issuingDistributionPoint } from '../../support/pki-crl.ts';
import { codeOf, HOUR, judge, NOW, trustIn } from './judging.ts';

const root = createAuthority();
const middle = root.intermediate();
const byRoot = (options: CrlOptions = {}): Uint8Array => root.crl(options).der;
const at = (hours: number): Date => new Date(Math.floor(NOW / 1000) * 1000 + hours * HOUR);

/** A list without number: version 1 has no extensions. */
const unnumbered = (hours: number): Uint8Array => byRoot({ version: 1, thisUpdate: at(hours) });
const numbered = (number: bigint, options: CrlOptions = {}): Uint8Array => byRoot({ number, ...options });

const rolledBack =
  /^the revocation list of CN=Root of example\.org that is offered \(.*\) is older than the one in force/;

function assertKept(previous: Uint8Array, next: Uint8Array, why: string): void {
  const { crls, problems } = withoutRollback([previous], [next]);
  assert.deepEqual(crls, [previous], why);
  assert.equal(problems.length, 1, why);
  assert.match(problems[0] ?? '', rolledBack);
}

function assertReplaced(previous: Uint8Array, next: Uint8Array, why: string): void {
  assert.deepEqual(withoutRollback([previous], [next]), { crls: [next], problems: [] }, why);
}

test('RFC 5280 5.2.3: a list of a smaller number does not take the place of a newer one', () => {
  assertKept(numbered(5n), numbered(4n), 'smaller');
  assertKept(numbered(256n), numbered(255n), 'more octets are more');
  assertKept(numbered(1n), numbered(0n), 'none is more than nought');
  assertKept(numbered((1n << 150n) + 1n), numbered(1n << 150n), 'beyond what a double holds');
  assertKept(
    numbered(5n, { thisUpdate: at(-2) }),
    numbered(4n, { thisUpdate: at(-1) }),
    'the number decides, not the date',
  );
});

test('RFC 5280 5.2.3: a list of a greater number takes its place', () => {
  assertReplaced(numbered(4n), numbered(5n), 'greater');
  assertReplaced(numbered(255n), numbered(256n), 'more octets are more');
  assertReplaced(numbered(4n, { thisUpdate: at(-1) }), numbered(5n, { thisUpdate: at(-2) }), 'the number decides');
});

test('where numbers do not decide, thisUpdate does', () => {
  assertKept(unnumbered(-1), unnumbered(-2), 'none has a number');
  assertReplaced(unnumbered(-2), unnumbered(-1), 'none has a number');
  assertKept(numbered(5n, { thisUpdate: at(-1) }), numbered(5n, { thisUpdate: at(-2) }), 'the same number');
  assertReplaced(numbered(5n, { thisUpdate: at(-2) }), numbered(5n, { thisUpdate: at(-1) }), 'the same number');
  const early = byRoot({ version: 1, thisUpdate: at(-3) });
  assertReplaced(early, byRoot({ authorityKeyId: null, thisUpdate: at(-1) }), 'only one has a number');
  assertKept(byRoot({ authorityKeyId: null, thisUpdate: at(-1) }), early, 'only one has a number');
});

test('the same list again is no problem', () => {
  const list = numbered(5n);
  assert.deepEqual(withoutRollback([Uint8Array.from(list)], [list]), { crls: [list], problems: [] });
  assert.deepEqual(withoutRollback([], []), { crls: [], problems: [] });
  assert.deepEqual(withoutRollback([], [list]), { crls: [list], problems: [] });
});

test('lists of other issuers, keys, scopes or kinds do not stand in each other’s way', () => {
  const successor = createAuthority();
  const others: readonly Uint8Array[] = [
    middle.crl({ number: 1n }).der,
    successor.crl({ number: 1n }).der,
    numbered(1n, { extensions: [issuingDistributionPoint({ onlyUserCerts: true })] }),
    numbered(1n, { extensions: [issuingDistributionPoint({ uri: 'http://example.org/1' })] }),
    numbered(1n, { deltaOf: 1n }),
  ];
  for (const other of others) assertReplaced(numbered(9n), other, 'another succession');
});

test('roll-over of one name: the list of the new key does not hide that of the old one, nor hinder it', () => {
  const successor = createAuthority();
  const before = [numbered(7n), successor.crl({ number: 1n }).der];
  const after = [numbered(8n), successor.crl({ number: 2n }).der];
  assert.deepEqual(withoutRollback(before, after), { crls: after, problems: [] });
  const { crls, problems } = withoutRollback(before, [numbered(6n), after[1] as Uint8Array]);
  assert.deepEqual(crls, [before[0], after[1]]);
  assert.equal(problems.length, 1);
});

test('of several older lists of one succession the newer one takes the place, once', () => {
  const held = numbered(9n);
  const other = middle.crl().der;
  const { crls, problems } = withoutRollback([numbered(3n), held], [numbered(4n), other, numbered(5n)]);
  assert.deepEqual(crls, [held, other]);
  assert.equal(problems.length, 1);
  assert.deepEqual(
    withoutRollback([held, numbered(3n)], [numbered(5n)]).crls,
    [held],
    'in whatever order they are held',
  );
});

test('an older list beside one that is new enough stays, as several lists of an issuer are all asked', () => {
  const next = [numbered(3n), numbered(9n)];
  assert.deepEqual(withoutRollback([numbered(8n)], next), { crls: next, problems: [] });
});

test('what cannot be read is handed on, to be refused by name where lists are taken up', () => {
  const junk = Buffer.from('junk');
  assert.deepEqual(withoutRollback([junk, numbered(2n)], [junk, numbered(3n)]).crls.length, 2);
});

test('what a place does not offer any more is known', () => {
  const below = middle.crl().der;
  const junk = Buffer.from('junk');
  assert.deepEqual(listsMissingIn([numbered(6n)], [numbered(5n), below, junk]), [below]);
  assert.deepEqual(listsMissingIn([], [below]), [below]);
  assert.deepEqual(listsMissingIn([below], []), []);
});

test('promise 6: whoever was revoked stays so when an old list is played again', () => {
  const leaf = root.issue();
  const [old, fresh] = [numbered(1n), numbered(2n, { revoked: [leaf.serial] })];
  const { crls } = withoutRollback([fresh], [old]);
  assert.equal(codeOf(judge(leaf.chain, trustIn([root], crls))), 'peer_certificate_revoked');
});

test('property: whatever is offered in whatever order, the number in force never falls', () => {
  const lists = Array.from({ length: 12 }, (_, index) => numbered(BigInt(index)));
  fc.assert(
    fc.property(fc.array(fc.nat(lists.length - 1), { minLength: 1, maxLength: 20 }), (offers) => {
      let held: readonly Uint8Array[] = [];
      let most = -1;
      for (const offer of offers) {
        const { crls, problems } = withoutRollback(held, [lists[offer] as Uint8Array]);
        assert.equal(problems.length, offer < most ? 1 : 0);
        most = Math.max(most, offer);
        assert.deepEqual(crls, [lists[most]]);
        held = crls;
      }
    }),
  );
});

test('property: any octets are no reason to throw', () => {
  const good = numbered(5n);
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }), (junk) => {
      assert.deepEqual(withoutRollback([good, ...junk], junk), { crls: junk, problems: [] });
    }),
  );
});
