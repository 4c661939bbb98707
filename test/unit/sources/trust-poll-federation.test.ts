import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';

import { formatSpiffeBundle } from '../../../src/core/identity/spiffe-bundle.ts';
import { createAuthority, type Authority } from '../../support/pki.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { FAILED, pollWorld, problemOf, type PollWorld } from './trust-poll-world.ts';

import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { FederationPoll } from '../../../src/io/sources/trust-poll-federation.ts';

const trustDomain = 'partner.test' as TrustDomain;
const settings: FederationPoll = { kind: 'federation', url: 'https://x.test/bundle?secret=1', trustDomain };
const root = createAuthority({ trustDomain });
const second = createAuthority({ trustDomain });
const HINT = 60;
const validators = { url: 'https://x.test/bundle', etag: '"1"', lastModified: undefined };

function bundleOf(sequence: number | bigint, authorities: readonly Authority[] = [root], hint = HINT): string {
  const roots = authorities.flatMap(({ bundle }) => bundle);
  return formatSpiffeBundle(roots, { sequence, refreshHintSeconds: hint });
}

const rootsOf = ({ poll }: PollWorld): readonly string[] | undefined =>
  poll.current?.bundles.get(trustDomain)?.map((der) => Buffer.from(der).toString('hex'));
const hexOf = (...authorities: readonly Authority[]): readonly string[] =>
  authorities.map(({ certificate }) => Buffer.from(certificate.der).toString('hex'));

async function started(context: TestContext, change: Partial<FederationPoll> = {}, random = 0): Promise<PollWorld> {
  const world = pollWorld(context, { ...settings, ...change }, { random });
  world.offer(bundleOf(5), validators);
  await world.poll.start();
  return world;
}

describe('SPIFFE Federation 4.1: when to ask', () => {
  test('once at the start, then at the refresh hint, a tenth more or less', async (context) => {
    const world = await started(context);
    assert.deepEqual(rootsOf(world), hexOf(root));
    await world.pass(HINT * 900 - 1);
    assert.equal(world.asked.length, 1);
    await world.pass(1);
    assert.equal(world.asked.length, 2);
    const late = await started(context, {}, 255);
    await late.pass(HINT * 1_100 - 2);
    assert.equal(late.asked.length, 1);
    await late.pass(2);
    assert.equal(late.asked.length, 2);
  });

  test('every five minutes where nothing is said', async (context) => {
    const world = pollWorld(context, settings);
    world.offer('{"keys":[]}');
    await world.poll.start();
    await world.pass(270_000 - 1);
    assert.equal(world.asked.length, 1);
    await world.pass(1);
    assert.equal(world.asked.length, 2);
  });

  test('a hint is bounded: a second at least, a day at most', async (context) => {
    for (const [hint, ms] of [
      [0, 1_000],
      [1e15, 77_760_000],
    ] as const) {
      const world = pollWorld(context, settings);
      world.offer(bundleOf(1, [root], hint));
      await world.poll.start();
      await world.pass(ms - 1);
      assert.equal(world.asked.length, 1, String(hint));
      await world.pass(1);
      assert.equal(world.asked.length, 2, String(hint));
    }
  });

  test('6.2: a failed question waits for the next interval, however often it fails', async (context) => {
    const world = await started(context);
    world.answer(FAILED);
    for (let turn = 1; turn <= 5; turn += 1) {
      await world.pass(HINT * 900);
      assert.equal(world.asked.length, turn + 1);
    }
    assert.equal(problemOf(world), 'https://x.test/: silent');
    assert.deepEqual(rootsOf(world), hexOf(root), 'the last good stays');
    assert.equal(world.problems.length, 1, 'told once');
  });

  test('a server that asks for patience is given it', async (context) => {
    const world = await started(context);
    world.answer({ kind: 'failed', detail: 'answered 503', retryAfterMs: 100_000 });
    await world.pass(HINT * 900);
    await world.pass(99_999);
    assert.equal(world.asked.length, 2);
    await world.pass(1);
    assert.equal(world.asked.length, 3);
  });
});

describe('what is taken', () => {
  test('a newer bundle replaces the one before it, whole', async (context) => {
    const world = await started(context);
    world.offer(bundleOf(6, [root, second]));
    await world.pass(HINT * 900);
    assert.deepEqual(rootsOf(world), hexOf(root, second));
    world.offer(bundleOf(7, [second]));
    await world.pass(HINT * 900);
    assert.deepEqual(rootsOf(world), hexOf(second));
    assert.equal(world.parts.length, 3);
    assert.deepEqual(
      [...(world.poll.current?.bundles.keys() ?? [])],
      [trustDomain],
      'of the configured domain and no other',
    );
  });

  test('validators are shown, and what did not change changes nothing', async (context) => {
    const world = await started(context);
    world.answer({ kind: 'unchanged' });
    await world.pass(HINT * 900);
    assert.deepEqual(world.asked, [undefined, validators]);
    world.offer(bundleOf(5), validators);
    await world.pass(HINT * 900);
    assert.equal(world.parts.length, 1);
    assert.equal(world.poll.problem, undefined);
  });

  test('after a failure all of it is asked for', async (context) => {
    const world = await started(context);
    world.answer(FAILED);
    await world.pass(HINT * 900);
    await world.pass(HINT * 900);
    assert.deepEqual(world.asked, [undefined, validators, undefined]);
  });

  test('the bundle that the operator gave is in force before the first answer', async (context) => {
    const world = pollWorld(context, { ...settings, first: second.bundle });
    await world.poll.start();
    assert.deepEqual(rootsOf(world), hexOf(second));
    assert.equal(problemOf(world), 'https://x.test/: silent');
    world.offer(bundleOf(1));
    await world.poll.reload();
    assert.deepEqual(rootsOf(world), hexOf(root));
    assert.deepEqual(world.problems.at(-1), undefined);
  });

  test('X509-SVID 6.2: an empty bundle is taken, and warned of', async (context) => {
    const world = await started(context);
    world.offer(bundleOf(6, []));
    await world.pass(HINT * 900);
    assert.deepEqual(rootsOf(world), []);
    assert.match(
      world.poll.current?.warnings[0] ?? '',
      /partner\.test holds no CA certificate: nobody of it is believed/,
    );
    assert.equal(world.poll.problem, undefined);
  });
});

describe('SPIFFE Trust Domain and Bundle 4.1.1: sequences', () => {
  test('an older one is refused, and the newer stays', async (context) => {
    const world = await started(context);
    world.offer(bundleOf(4, [second]));
    await world.pass(HINT * 900);
    assert.deepEqual(rootsOf(world), hexOf(root));
    assert.match(problemOf(world), /^https:\/\/x\.test\/bundle: SPIFFE bundle: its sequence 4 is older than 5/);
    assert.ok(!problemOf(world).includes('secret'));
    world.offer(bundleOf(6, [second]));
    await world.pass(HINT * 900);
    assert.deepEqual(rootsOf(world), hexOf(second));
    assert.equal(world.poll.problem, undefined);
  });

  test('they are compared with all their bits', async (context) => {
    const world = await started(context);
    const high = (1n << 64n) - 1n;
    world.offer(bundleOf(high));
    await world.poll.reload();
    world.offer(bundleOf(high - 1n, [second]));
    await world.poll.reload();
    assert.deepEqual(rootsOf(world), hexOf(root));
  });

  test('one that does not say it is taken, and the newest that was said is remembered', async (context) => {
    const world = await started(context);
    world.offer(bundleOf(0, [second]).replace(/,"spiffe_sequence":0/, ''));
    await world.poll.reload();
    assert.deepEqual(rootsOf(world), hexOf(second));
    world.offer(bundleOf(4));
    await world.poll.reload();
    assert.deepEqual(rootsOf(world), hexOf(second));
  });

  test('a change without a new sequence is taken, and warned of', async (context) => {
    const world = await started(context);
    world.offer(bundleOf(5, [second]));
    await world.poll.reload();
    assert.deepEqual(rootsOf(world), hexOf(second));
    assert.match(world.poll.current?.warnings[0] ?? '', /changed and its sequence 5 did not/);
  });
});

test('fault table: what is no bundle of sound CA certificates changes nothing', async (context) => {
  const world = await started(context);
  const weak = createAuthority({ trustDomain, keys: createKeyPair('rsa1024') });
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /SPIFFE bundle: not JSON/],
    ['<html>', /SPIFFE bundle: not JSON/],
    ['{}', /keys: is not there/],
    [bundleOf(9).replace('"use"', '"kid":"a","use"'), /kid: must not be set/],
    [
      bundleOf(9, [createAuthority({ trustDomain: 'other.test' })]),
      /trust bundle of partner\.test, certificate 1: .*SPIFFE ID of other\.test/,
    ],
    [bundleOf(9, [createAuthority({ trustDomain, cA: false })]), /certificate 1: .*cA is not set/],
    [
      JSON.stringify({
        keys: [{ use: 'x509-svid', kty: 'RSA', x5c: [Buffer.from(weak.certificate.der).toString('base64')] }],
      }),
      /kind and size/,
    ],
  ];
  for (const [text, why] of cases) {
    world.offer(text);
    await world.poll.reload();
    assert.match(problemOf(world), why);
    assert.deepEqual(rootsOf(world), hexOf(root), text);
  }
  assert.equal(world.parts.length, 1);
});

test('after stop nothing is asked or told any more', async (context) => {
  const world = await started(context);
  world.poll.stop();
  world.offer(bundleOf(6, [second]));
  await world.pass(HINT * 10_000);
  await world.poll.reload();
  assert.deepEqual([world.asked.length, world.parts.length, world.clock.timers], [1, 1, 0]);
});

test('questions never overlap', async (context) => {
  const world = await started(context);
  await Promise.all([world.poll.reload(), world.poll.reload(), world.poll.reload()]);
  assert.equal(world.asked.length, 2);
  assert.equal(world.clock.timers, 1);
});
