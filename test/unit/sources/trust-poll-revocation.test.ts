import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';

import { createAuthority } from '../../support/pki.ts';
import { issuingDistributionPoint, type CrlOptions } from '../../support/pki-crl.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { FAILED, pollWorld, problemOf, type PollWorld } from './trust-poll-world.ts';

const root = createAuthority();
const middle = root.intermediate();
const issuers = (): readonly Uint8Array[] => root.bundle;
const https = { kind: 'revocation-list', url: 'https://x.test/list' } as const;
const http = { kind: 'revocation-list', url: 'http://x.test/list' } as const;

/** As the driven clock has it. */
const START = 1_700_000_000_000;
const MINUTE = 60_000;

function list(number: bigint, options: CrlOptions & { readonly minutes?: number } = {}): Uint8Array {
  const { minutes = 4, ...others } = options;
  return root.crl({ number, thisUpdate: new Date(START), nextUpdate: new Date(START + minutes * MINUTE), ...others })
    .der;
}

const listsOf = ({ poll }: PollWorld): readonly Buffer[] | undefined =>
  poll.current?.crls.map((der) => Buffer.from(der));

async function started(context: TestContext, first: Uint8Array = list(5n)): Promise<PollWorld> {
  const world = pollWorld(context, https, { issuers });
  world.offer(first);
  await world.poll.start();
  return world;
}

/** Asserts that the next question comes after exactly `ms`. */
async function assertPause(world: PollWorld, ms: number): Promise<void> {
  const before = world.asked.length;
  await world.pass(ms - 1);
  assert.equal(world.asked.length, before, `asked sooner than after ${ms} ms`);
  await world.pass(1);
  assert.equal(world.asked.length, before + 1, `not asked after ${ms} ms`);
}

describe('when to ask', () => {
  test('at half of the time to nextUpdate, or a little sooner', async (context) => {
    const world = await started(context);
    await assertPause(world, 2 * MINUTE * 0.9);
  });

  test('at most every ten seconds, also when the list has grown old', async (context) => {
    const world = await started(context, list(5n, { minutes: 0.1 }));
    for (let turn = 0; turn < 3; turn += 1) await assertPause(world, 10_000);
    assert.equal(world.poll.problem, undefined);
    assert.equal(listsOf(world)?.length, 1, 'what it lists stays revoked');
  });

  test('at least every five minutes', async (context) => {
    const world = await started(context, list(5n, { minutes: 60 * 24 }));
    await assertPause(world, 5 * MINUTE * 0.9);
  });

  test('the list that grows old first decides', async (context) => {
    const below = middle.crl({ nextUpdate: new Date(START + MINUTE) }).pem;
    const world = await started(context, Buffer.from(root.crl({ number: 5n }).pem + below));
    await assertPause(world, 30_000 * 0.9);
  });

  test('failures are followed by growing pauses, and the last good stays', async (context) => {
    const world = await started(context);
    const before = listsOf(world);
    world.answer(FAILED);
    await world.pass(2 * MINUTE);
    for (const pause of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 150_000, 150_000]) {
      await assertPause(world, pause);
    }
    assert.deepEqual(listsOf(world), before);
    assert.equal(problemOf(world), 'https://x.test/: silent');
    world.offer(list(6n));
    await world.pass(150_000);
    assert.equal(world.poll.problem, undefined);
    world.answer(FAILED);
    await world.pass(5 * MINUTE);
    await assertPause(world, 500);
  });
});

const twoLists = (number: bigint, below: bigint): Buffer =>
  Buffer.from(root.crl({ number }).pem + middle.crl({ number: below, revoked: [below] }).pem);

describe('RFC 5280 5.2.3: nothing is forgotten', () => {
  test('a newer list takes the place of the one before it', async (context) => {
    const world = await started(context);
    const next = list(6n, { revoked: [7n] });
    world.offer(next);
    await world.poll.reload();
    assert.deepEqual(listsOf(world), [Buffer.from(next)]);
  });

  test('an older one does not, and that is told', async (context) => {
    const newer = list(5n, { revoked: [7n] });
    const world = await started(context, newer);
    world.offer(list(4n), { url: https.url, etag: '"old"', lastModified: undefined });
    await world.poll.reload();
    assert.deepEqual(listsOf(world), [Buffer.from(newer)]);
    assert.match(
      problemOf(world),
      /^https:\/\/x\.test\/list: the revocation list of CN=Root of example\.org .* is older than the one in force/,
    );
    await world.poll.reload();
    assert.equal(world.asked.at(-1), undefined, 'it is not held for the one that is there');
    assert.equal(world.parts.length, 1);
    world.offer(list(6n));
    await world.poll.reload();
    assert.equal(world.poll.problem, undefined);
  });

  test('one of several that goes back does not hinder the others', async (context) => {
    const world = await started(context, twoLists(5n, 5n));
    const [held] = listsOf(world) ?? [];
    world.offer(twoLists(4n, 6n));
    await world.poll.reload();
    assert.equal(listsOf(world)?.length, 2);
    assert.deepEqual(listsOf(world)?.[0], held);
    assert.match(problemOf(world), /is older/);
    assert.equal(world.parts.length, 2);
  });

  test('a list that is no longer served stays, and is warned of', async (context) => {
    const world = await started(context);
    const before = listsOf(world) ?? [];
    const other = createAuthority({ trustDomain: 'other.test' }).crl().der;
    world.offer(other);
    await world.poll.reload();
    assert.deepEqual(listsOf(world), [Buffer.from(other), ...before]);
    assert.deepEqual(world.poll.current?.warnings, [
      'the revocation list of CN=Root of example.org is no longer served; the last one stays in force',
    ]);
    world.offer(list(6n));
    await world.poll.reload();
    assert.equal(listsOf(world)?.length, 2);
    assert.match(world.poll.current?.warnings[0] ?? '', /CN=Root of other\.test/);
  });

  test('of those no longer served so many stay as there is room for, the longest missing go first', async (context) => {
    const world = await started(context);
    const keys = createKeyPair();
    for (let turn = 0; turn < 20; turn += 1) {
      world.offer(createAuthority({ subject: `CA ${turn}`, keys }).crl().der);
      await world.poll.reload();
    }
    assert.equal(listsOf(world)?.length, 16);
    assert.match(world.poll.current?.warnings[0] ?? '', /CN=CA 18 is/);
    assert.match(world.poll.current?.warnings.at(-1) ?? '', /CN=CA 4 is/);
  });
});

describe('RFC 5280 4.2.1.13: over plain HTTP the signature is all there is', () => {
  test('a list of an issuer that we know is taken', async (context) => {
    const world = pollWorld(context, http, { issuers });
    world.offer(list(5n));
    await world.poll.start();
    assert.equal(listsOf(world)?.length, 1);
  });

  test('one of an issuer that we do not know is not, until we do', async (context) => {
    let known: readonly Uint8Array[] = root.bundle;
    const world = pollWorld(context, http, { issuers: () => known });
    world.offer(middle.crl().der);
    await world.poll.start();
    assert.equal(world.poll.current, undefined);
    assert.match(
      problemOf(world),
      /its issuer CN=Intermediate of example\.org is not known, so that anybody may have written it/,
    );
    known = [...root.bundle, middle.certificate.der];
    await world.pass(500);
    assert.equal(listsOf(world)?.length, 1);
    assert.equal(world.poll.problem, undefined);
  });

  test('without known issuers nothing is taken', async (context) => {
    const world = pollWorld(context, http);
    world.offer(list(5n));
    await world.poll.start();
    assert.equal(world.poll.current, undefined);
  });

  test('a forged list of a great number neither takes the place of a true one nor shuts out the next', async (context) => {
    const world = pollWorld(context, http, { issuers: () => [...root.bundle, middle.certificate.der] });
    const revoking = middle.crl({ number: 5n, revoked: [7n] }).der;
    world.offer(revoking);
    await world.poll.start();
    for (const forged of [
      { keys: createKeyPair() },
      { breakSignature: true },
      { keys: createKeyPair(), authorityKeyId: null },
    ]) {
      world.offer(middle.crl({ number: 1n << 100n, ...forged }).der);
      await world.poll.reload();
      assert.deepEqual(listsOf(world), [Buffer.from(revoking)]);
    }
    const next = middle.crl({ number: 6n, revoked: [7n, 8n] }).der;
    world.offer(next);
    await world.poll.reload();
    assert.deepEqual(listsOf(world), [Buffer.from(next)]);
  });

  test('over HTTPS the list of an issuer that is not known is taken: a path may lead to it', async (context) => {
    const world = pollWorld(context, https, { issuers });
    world.offer(middle.crl().der);
    await world.poll.start();
    assert.equal(listsOf(world)?.length, 1);
  });
});

test('the same answer again is not judged again, unless something went wrong in between', async (context) => {
  let judged = 0;
  const counting = (): readonly Uint8Array[] => {
    judged += 1;
    return root.bundle;
  };
  const world = pollWorld(context, https, { issuers: counting });
  const same = list(5n);
  world.offer(same);
  await world.poll.start();
  await world.poll.reload();
  assert.equal(judged, 1);
  world.answer(FAILED);
  await world.poll.reload();
  world.offer(same);
  await world.poll.reload();
  assert.equal(judged, 2);
  assert.equal(world.poll.problem, undefined);
  assert.equal(world.parts.length, 1);
});

test('fault table: what is no usable list changes nothing', async (context) => {
  const world = await started(context);
  const before = listsOf(world);
  const critical = { oid: '1.2.3', critical: true, value: Buffer.from([5, 0]) };
  const mute = createAuthority({ subject: 'Mute', keyUsage: ['keyCertSign'] });
  const cases: readonly (readonly [Uint8Array | string, RegExp])[] = [
    ['', /neither DER nor a PEM block/],
    ['<html>', /neither DER nor a PEM block/],
    [root.bundlePem, /holds a PEM block that is no "X509 CRL"/],
    [list(9n).subarray(0, 50), /revocation list: /],
    [list(9n, { breakSignature: true }), /is not signed by CN=Root of example\.org, whom it names/],
    [list(9n, { keys: createKeyPair() }), /is not signed by CN=Root of example\.org/],
    [list(9n, { digest: 'sha1' }), /is not signed by CN=Root of example\.org/],
    [list(9n, { extensions: [critical] }), /cannot be used: critical extension 1\.2\.3/],
    [
      list(9n, { revoked: [{ serial: 1n, extensions: [critical] }] }),
      /cannot be used: critical entry extension 1\.2\.3/,
    ],
    [list(9n, { extensions: [issuingDistributionPoint({ indirect: true })] }), /cannot be used: an indirect list/],
    [list(9n, { nextUpdate: null }), /nextUpdate/],
    [list(9n, { number: -1n }), /CRL number: negative/],
    [Buffer.from(root.crl().pem.repeat(17)), /more than 16 revocation lists/],
  ];
  for (const [bytes, why] of cases) {
    world.offer(bytes);
    await world.poll.reload();
    assert.match(problemOf(world), why);
    assert.deepEqual(listsOf(world), before);
  }
  const muted = pollWorld(context, http, { issuers: () => mute.bundle });
  muted.offer(mute.crl().der);
  await muted.poll.start();
  assert.match(problemOf(muted), /is not signed by CN=Mute, whom it names, as one that may sign lists/);
});
