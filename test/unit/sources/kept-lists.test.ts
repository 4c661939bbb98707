import assert from 'node:assert/strict';
import { test } from 'node:test';

import { keepLists } from '../../../src/io/sources/kept-lists.ts';
import { createAuthority } from '../../support/pki.ts';

const NOW = Date.now();
const MINUTE = 60_000;
const home = createAuthority();
const stranger = createAuthority({ subject: 'Somebody else' });

const number = (value: bigint, more: Parameters<typeof home.crl>[0] = {}): Uint8Array =>
  home.crl({ number: value, nextUpdate: new Date(NOW + MINUTE), ...more }).der;

test('a newer list takes the place of the one before it, without a word', () => {
  const next = number(6n);
  assert.deepEqual(keepLists([number(5n)], [next], NOW), { crls: [next], warnings: [] });
});

test('RFC 5280 5.2.3: an older one is passed over, and that is told', () => {
  const held = number(5n, { revoked: [7n] });
  const { crls, warnings } = keepLists([held], [number(4n)], NOW);
  assert.deepEqual(crls, [held]);
  assert.match(warnings.join(), /is older than the one in force/);
});

test('promise 7: the list of somebody else takes nobody’s place', () => {
  const [held, other] = [number(5n, { revoked: [7n] }), stranger.crl().der];
  const { crls, warnings } = keepLists([held], [other], NOW);
  assert.deepEqual(crls, [other, held]);
  assert.match(warnings.join(), /CN=Root of example\.org is in no file any more; the last one stays/);
});

test('a list that is gone stays until its next update, to the millisecond', () => {
  const nextUpdate = new Date(Math.floor(NOW / 1_000) * 1_000 + MINUTE);
  const held = number(5n, { nextUpdate });
  assert.deepEqual(keepLists([held], [], nextUpdate.getTime() - 1).crls, [held]);
  assert.deepEqual(keepLists([held], [], nextUpdate.getTime()), { crls: [], warnings: [] });
});

test('no more than 16 stay, however many issuers come by', () => {
  const held = Array.from({ length: 20 }, () => createAuthority().crl().der);
  assert.equal(keepLists(held, [], NOW).crls.length, 16);
});
