import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseCrl } from '../../../src/core/identity/crl.ts';
import { revoke } from '../../../src/io/authority/revoking.ts';
import { createIssuingAuthority } from '../../../src/io/authority/running-authority.ts';
import { createAuthorityWorld, DAY, HOUR, newCsr, NO_LIMITS, valueOf } from '../../support/authority-world.ts';
import { systemRandom } from '../../support/system-clock.ts';

import type { TestContext } from 'node:test';

/** An authority with one certificate in force and one that was revoked, whose wall clock can be set. */
async function world(context: TestContext) {
  const made = await createAuthorityWorld(context);
  let leapMs = 0;
  const clock = { wallMs: () => made.clock.wallMs() + leapMs, monotonicMs: () => made.clock.monotonicMs() };
  const authority = createIssuingAuthority(
    { ...made.settings, leafTtlMs: 20 * DAY },
    { clock, random: systemRandom, timer: made.clock.timer, limits: NO_LIMITS },
  );
  context.after(() => authority.stop());
  await authority.start();
  const [good, gone] = [
    valueOf(await authority.issue(made.token(), await newCsr(), '')).serial,
    valueOf(await authority.issue(made.token(), await newCsr(), '')).serial,
  ];
  valueOf(revoke(made.store, { which: { serial: gone }, reason: 'test', bar: false }, made.deps));
  return {
    ...made,
    authority,
    good,
    gone,
    leap: (ms: number) => (leapMs += ms),
    listed: () => valueOf(parseCrl(authority.trust().crls[0] ?? new Uint8Array())).revoked.has(gone),
    stored: () =>
      valueOf(
        made.store.read((database) =>
          [good, gone].map(
            (serial) => database.prepare('SELECT 1 FROM certificates WHERE serial = ?').get(serial) !== undefined,
          ),
        ),
      ),
  };
}

test('what ended a month ago is forgotten, with its revocation', async (context) => {
  const { clock, look, stored, store } = await world(context);
  await look();
  clock.advance(49 * DAY);
  await look();
  assert.deepEqual(stored(), [true, true]);
  clock.advance(2 * DAY);
  await look();
  assert.deepEqual(stored(), [false, false]);
  assert.equal(valueOf(store.read((database) => database.prepare('SELECT 1 FROM revocations').get())), undefined);
});

test('a clock that leaps years ahead and comes back makes nothing forgotten: neither certificates nor revocations', async (context) => {
  const { authority, look, leap, listed, stored, good, clock } = await world(context);
  await look();
  assert.equal(listed(), true);
  leap(300 * DAY);
  for (let turn = 0; turn < 3; turn += 1) await look();
  clock.advance(HOUR / 2);
  await look();
  leap(-300 * DAY);
  await look();
  assert.deepEqual([stored(), authority.isGood(good), listed()], [[true, true], true, true]);
});

test('after a clock was set back it is pruned again', async (context) => {
  const { look, leap, stored, clock } = await world(context);
  await look();
  leap(-1 * DAY);
  await look();
  clock.advance(52 * DAY);
  await look();
  assert.deepEqual(stored(), [false, false]);
});
