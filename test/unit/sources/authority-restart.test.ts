import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { ok } from '../../../src/core/kernel/result.ts';
import { createIdentityKeep } from '../../../src/io/sources/authority-keep.ts';
import { createAuthorityPart } from '../../../src/io/sources/authority-part.ts';
import { sameBytes } from '../../../src/io/sources/identity-join.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { createAuthority } from '../../support/pki.ts';
import { certified, createScriptedAuthority, trustOf, unavailable } from '../../support/scripted-authority.ts';
import { systemRandom } from '../../support/system-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

import type { TestContext } from 'node:test';
import type { FirstRoots } from '../../../src/core/config/identity-settings.ts';
import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';

const AUTHORITY = 'spiffe://example.org/sallyport/authority';
const HOUR = 3_600_000;
const NOW = Math.floor(Date.now() / 1_000) * 1_000;
const home = createAuthority();

/** A folder in which one sidecar after the other lives. */
async function place(context: TestContext) {
  const folder = await tempFolder(context);
  const [keepFolder, trustBundle] = [join(folder, 'keep'), join(folder, 'roots.pem')];
  await writeFile(trustBundle, home.bundlePem);
  /** One life of the process, `passedMs` after the first one began. */
  const live = (passedMs = 0, id?: string, first: FirstRoots = { trustBundle }) => {
    const clock = createDrivenClock(NOW + passedMs);
    const authority = createScriptedAuthority();
    authority.respond = (ask) => {
      const leaf = { notBefore: new Date(clock.wallMs()), notAfter: new Date(clock.wallMs() + HOUR) };
      return certified(ask, home, { leaf });
    };
    const part = createAuthorityPart(
      {
        trustDomain: 'example.org' as TrustDomain,
        ...first,
        method: 'join-token',
        token: '/run/token',
        keyType: 'p256',
        id: id as SpiffeId | undefined,
      },
      {
        client: authority,
        clock,
        random: systemRandom,
        timer: clock.timer,
        keep: createIdentityKeep(keepFolder, AUTHORITY),
        onChange: () => undefined,
        onProblem: () => undefined,
      },
    );
    context.after(() => part.stop());
    return { part, authority, clock };
  };
  return { live, trustBundle, file: join(keepFolder, 'identity.json') };
}

test('a restart goes on with certificate and key as they were: no token is needed', async (context) => {
  const { live } = await place(context);
  const first = live();
  await first.part.start();
  first.part.stop();
  const second = live(10_000);
  await second.part.start();
  assert.equal(second.authority.asks.length, 0);
  assert.ok(sameBytes(second.part.current?.own?.chain ?? [], first.part.current?.own?.chain ?? [new Uint8Array(1)]));
  assert.ok(first.part.current?.own && second.part.current?.own?.privateKey.equals(first.part.current.own.privateKey));
  assert.equal(second.part.problem, undefined);
});

test('a restart past half of the life renews at once, by the certificate that was kept', async (context) => {
  const { live } = await place(context);
  const first = live();
  await first.part.start();
  first.part.stop();
  const second = live(0.6 * HOUR);
  await second.part.start();
  second.clock.advance(500);
  await second.authority.answered(1);
  assert.equal(second.authority.asks[0]?.kind, 'renew');
});

test('a restart after the end of the certificate enrols anew, and believes the roots that were last told', async (context) => {
  const { live } = await place(context);
  const second = createAuthority();
  const first = live();
  await first.part.start();
  first.authority.trustAsk?.answer(ok(trustOf('2', [home, second])));
  await until('two roots', () => first.part.current?.bundles.get('example.org' as TrustDomain)?.length === 2);
  await until('the next question', () => (first.clock.advance(250), first.authority.trustAsk?.revision === '2'));
  first.part.stop();
  const later = live(2 * HOUR);
  later.authority.respond = () => unavailable('down');
  await later.part.start();
  assert.equal(later.authority.asks[0]?.kind, 'enrol');
  assert.equal(later.authority.roots.length, 2);
  assert.equal(later.part.current?.own, undefined);
  assert.match(later.part.problem?.join('; ') ?? '', /what was kept for a restart is not used: certificate 1: expired/);
  later.authority.respond = (ask) => certified(ask, home, { leaf: { notAfter: new Date(NOW + 3 * HOUR) } });
  await later.part.reload();
  assert.equal(later.part.problem, undefined);
});

test('a root that was taken out does not come back with a restart, though the first roots still have it', async (context) => {
  const { live, file } = await place(context);
  const next = createAuthority();
  const first = live();
  await first.part.start();
  first.authority.respond = (ask) => certified(ask, next, { trust: trustOf('2', [next]) });
  first.clock.advance(0.6 * HOUR);
  await first.authority.answered(2);
  await until('the keeping', async () => (await readFile(file, 'utf8')).includes('"revision":"2"'));
  first.part.stop();
  const second = live(0.61 * HOUR);
  await second.part.start();
  assert.ok(sameBytes(second.authority.roots, next.bundle));
});

test('roots that stand in the configuration itself, as in a pod: rotated twice, and a restart goes on with what was kept', async (context) => {
  const { live, file } = await place(context);
  const inline = { trustBundlePem: home.bundlePem };
  const [second, third] = [createAuthority(), createAuthority()];
  const first = live(0, undefined, inline);
  await first.part.start();
  assert.ok(sameBytes(first.authority.roots, home.bundle));
  for (const [revision, root] of [
    ['2', second],
    ['3', third],
  ] as const) {
    first.authority.respond = (ask) => {
      const leaf = { notBefore: new Date(first.clock.wallMs()), notAfter: new Date(first.clock.wallMs() + HOUR) };
      return certified(ask, root, { leaf, trust: trustOf(revision, [root]) });
    };
    first.clock.advance(0.6 * HOUR);
    // oxlint-disable-next-line no-await-in-loop -- one rotation after the other
    await until('the keeping', async () => (await readFile(file, 'utf8')).includes(`"revision":"${revision}"`));
  }
  first.part.stop();
  // The container is started again: its roots are those that the pod was made with, and are believed no more.
  const again = live(1.21 * HOUR, undefined, inline);
  again.authority.respond = () => unavailable('down');
  await again.part.start();
  assert.equal(again.part.problem, undefined);
  assert.ok(sameBytes(again.authority.roots, third.bundle));
  assert.ok(sameBytes(again.part.current?.own?.chain ?? [], first.part.current?.own?.chain ?? [new Uint8Array(1)]));
  again.part.stop();
  // So it is once its certificate has ended: it enrols with an authority that the kept roots prove.
  const late = live(3 * HOUR, undefined, inline);
  late.authority.respond = (ask) => certified(ask, third, { leaf: { notAfter: new Date(NOW + 4 * HOUR) } });
  await late.part.start();
  assert.deepEqual([late.authority.asks[0]?.kind, late.part.problem], ['enrol', undefined]);
  assert.ok(sameBytes(late.authority.roots, third.bundle));
});

test('roots in the configuration that are none are told by the key they stand at', async (context) => {
  const { live } = await place(context);
  const { part } = live(0, undefined, { trustBundlePem: '-----BEGIN CERTIFICATE-----\nx' });
  await part.start();
  assert.match(part.problem?.join('; ') ?? '', /^identity\.authority\.trustBundle: line 1: a block without end/);
});

test('first roots that an operator changed meanwhile count, beside those that were told', async (context) => {
  const { live, trustBundle } = await place(context);
  const first = live();
  await first.part.start();
  first.part.stop();
  const given = createAuthority();
  await writeFile(trustBundle, given.bundlePem);
  const second = live(1_000);
  await second.part.start();
  assert.ok(sameBytes(second.authority.roots, [...home.bundle, ...given.bundle]));
});

test('a kept file that others can read is refused: a new key is enrolled, and kept in its place', async (context) => {
  const { live, file } = await place(context);
  const first = live();
  await first.part.start();
  first.part.stop();
  const before = await readFile(file, 'utf8');
  await chmod(file, 0o644);
  const second = live(1_000);
  second.authority.respond = () => unavailable('down');
  await second.part.start();
  assert.match(second.part.problem?.join('; ') ?? '', /others can read it \(mode 0644\)/);
  assert.equal(second.part.current, undefined);
  second.authority.respond = (ask) => certified(ask, home);
  await second.part.reload();
  assert.equal(second.part.problem, undefined);
  assert.notEqual(await readFile(file, 'utf8'), before);
});

test('the kept identity of somebody else is not used', async (context) => {
  const { live } = await place(context);
  const first = live();
  await first.part.start();
  first.part.stop();
  const second = live(1_000, 'spiffe://example.org/somebody-else');
  second.authority.respond = () => unavailable('down');
  await second.part.start();
  assert.equal(second.part.current?.own, undefined);
  assert.match(second.part.problem?.join('; ') ?? '', /and we are spiffe:\/\/example\.org\/somebody-else/);
});

test('a disk that cannot be written is told, and the identity is in force all the same', async (context) => {
  const { live, file } = await place(context);
  await writeFile(join(file, '..', '..', 'keep'), 'a file in the place of the folder');
  const { part } = live();
  await part.start();
  assert.notEqual(part.current?.own, undefined);
  assert.match(part.problem?.join('; ') ?? '', /the identity could not be kept for a restart: /);
});
