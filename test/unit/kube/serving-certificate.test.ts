import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';

import { createServingCertificate } from '../../../src/io/kube/serving-certificate.ts';
import {
  CONFIGURATION_PATH,
  DNS_NAMES,
  SECRET_PATH,
  startServingWorld,
  type ServingWorld,
} from '../../support/serving-world.ts';
import { until } from '../../support/until.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const isBelieved = (bundle: string, certificate: string): boolean =>
  (bundle.match(/-----BEGIN[^]+?END CERTIFICATE-----\n/g) ?? []).some((ca) =>
    new X509Certificate(certificate).verify(new X509Certificate(ca).publicKey),
  );

/** The configuration loses or gets what a test says. */
function change({ api, bundles }: ServingWorld, bundle: string | undefined): void {
  const before = api.store.objects.get(CONFIGURATION_PATH) as unknown as { webhooks: readonly object[] };
  const caBundle = bundle === undefined ? undefined : Buffer.from(bundle).toString('base64');
  const webhooks = before.webhooks.map((webhook) => ({ ...webhook, clientConfig: { service: {}, caBundle } }));
  api.store.put(CONFIGURATION_PATH, { ...before, webhooks });
  assert.ok(bundles().every((one) => one === (bundle ?? '')));
}

describe('the serving certificate', () => {
  test('one replica: Secret, then caBundle, then it is served; nothing else of the configuration is touched', async (context) => {
    const world = await startServingWorld(context);
    const serving = world.replica();
    assert.equal(serving.current(), undefined);
    const served = await until('a certificate', () => serving.current());
    const { 'ca.crt': ca, 'tls.crt': leaf, 'tls.key': key } = world.secret();
    assert.deepEqual([served.certificate, served.privateKey], [leaf, key]);
    assert.deepEqual(world.bundles(), [ca, ca]);
    assert.equal(serving.trusted, true);
    assert.equal(served.notAfterMs, world.clock.wallMs() + 30 * DAY);
    const writes = world.api.calls
      .filter(({ method }) => method !== 'GET')
      .map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(writes, ['POST /api/v1/namespaces/system/secrets', `PATCH ${CONFIGURATION_PATH}`]);
    const configuration = world.api.store.objects.get(CONFIGURATION_PATH) as unknown as { webhooks: readonly object[] };
    assert.deepEqual(
      configuration.webhooks.map((webhook) => Object.keys(webhook)),
      [
        ['name', 'clientConfig'],
        ['name', 'clientConfig', 'failurePolicy'],
      ],
    );
    for (const one of world.said) assert.ok(!/PRIVATE|BEGIN/.test(one), one);
  });

  test('two replicas at once: who is slower takes what is there', async (context) => {
    const world = await startServingWorld(context);
    const [one, other] = [world.replica(), world.replica()];
    await world.eventually('both', () => one.current() !== undefined && other.current() !== undefined);
    assert.equal(one.current()?.certificate, other.current()?.certificate);
    assert.deepEqual(world.bundles(), [world.secret()['ca.crt'], world.secret()['ca.crt']]);
  });

  test('nothing is served that caBundle does not hold', async (context) => {
    const world = await startServingWorld(context);
    world.api.fault = ({ method }) => (method === 'PATCH' ? { kind: 'status', status: 403 } : undefined);
    const serving = world.replica();
    const problem = await until('a problem', () => serving.problem);
    assert.match(problem, /may not patch mutatingwebhookconfigurations \(403\)/);
    assert.equal(serving.current(), undefined);
    assert.equal(serving.trusted, false);
    world.api.fault = () => undefined;
    await world.eventually('a certificate', () => serving.current() !== undefined);
    assert.equal(serving.problem, undefined);
  });

  test('leaves change at half of their life, authorities too; at every moment what is served is believed', async (context) => {
    const world = await startServingWorld(context);
    const lives = { leafMs: 2 * DAY, authorityMs: 12 * DAY };
    const replicas = [world.replica(lives), world.replica(lives)];
    await world.eventually('all', () => replicas.every((one) => one.current() !== undefined));
    const leaves = new Set<string>();
    const authorities = new Set<string>();
    let most = 0;
    const look = (): boolean => {
      leaves.add(world.secret()['tls.crt'] ?? '');
      authorities.add(world.secret()['ca.crt'] ?? '');
      for (const one of replicas) {
        const served = one.current();
        assert.ok(served !== undefined && served.notAfterMs > world.clock.wallMs());
        for (const bundle of world.bundles()) {
          assert.ok(isBelieved(bundle, served.certificate));
          most = Math.max(most, bundle.split('BEGIN').length - 1);
        }
      }
      return authorities.size === 3;
    };
    await world.eventually('three authorities', look, 2 * HOUR);
    assert.ok(leaves.size >= 8, `${leaves.size}`);
    assert.equal(most, 2);
    await world.eventually(
      'one authority',
      () => world.bundles().every((one) => one === world.secret()['ca.crt']),
      HOUR,
    );
    assert.deepEqual(Object.keys(world.secret()).sort(), ['ca.crt', 'ca.key', 'tls.crt', 'tls.key']);
  });

  test('an authority signs nothing before it has been known for a while, and stays until its last leaf has ended', async (context) => {
    const world = await startServingWorld(context);
    const serving = world.replica({ leafMs: 2 * DAY, authorityMs: 12 * DAY, settleMs: HOUR, lookMs: 60_000 });
    const first = await until('a certificate', () => serving.current());
    const before = world.secret()['ca.crt'] ?? '';
    await world.eventually('another authority', () => world.secret()['next-ca.crt'] !== undefined, 4 * HOUR);
    const next = world.secret()['next-ca.crt'] ?? '';
    const announced = world.clock.wallMs();
    await world.eventually('its announcement', () => world.bundles().every((one) => one === `${before}${next}`), 1_000);
    await world.eventually('its first leaf', () => world.secret()['ca.crt'] === next, 5 * 60_000);
    assert.ok(world.clock.wallMs() - announced >= HOUR);
    assert.equal(world.secret()['old-ca.crt'], before);
    assert.ok(!JSON.stringify(world.secret()).includes('next-ca'));
    const until2 = Date.parse(world.secret()['old-ca-until'] ?? '');
    assert.ok(until2 > world.clock.wallMs());
    await world.eventually('the end of the first', () => world.bundles().every((one) => one === next), HOUR);
    assert.ok(world.clock.wallMs() >= until2);
    assert.notEqual(serving.current()?.certificate, first.certificate);
  });
});

describe('what others do to it', () => {
  test('an emptied caBundle is filled again at once; a foreign authority goes after a while', async (context) => {
    const world = await startServingWorld(context);
    const serving = world.replica();
    await until('a certificate', () => serving.current());
    await until('both watches', () => world.api.watching === 2);
    const ca = world.secret()['ca.crt'] ?? '';
    change(world, undefined);
    await until('caBundle', () => world.bundles().every((one) => one === ca));
    change(world, world.api.caPem);
    await until('both', () => world.bundles().every((one) => one === `${world.api.caPem}${ca}`));
    const since = world.clock.wallMs();
    await world.eventually('ours only', () => world.bundles().every((one) => one === ca));
    assert.ok(world.clock.wallMs() - since >= 60_000);
  });

  const SPOILT: readonly (readonly [string, (data: Record<string, string>) => Record<string, string>])[] = [
    ['nothing in it', () => ({})],
    ['no certificate', (data) => ({ ...data, 'tls.crt': 'bm9uZQ==' })],
    ['no key', (data) => ({ ...data, 'ca.key': '' })],
    ['the key of another', (data) => ({ ...data, 'tls.key': data['ca.key'] ?? '' })],
    ['a leaf of nobody', (data) => ({ ...data, 'tls.crt': data['ca.crt'] ?? '', 'tls.key': data['ca.key'] ?? '' })],
    ['half an announcement', (data) => ({ ...data, 'next-ca.crt': data['ca.crt'] ?? '' })],
    ['an end that is none', (data) => ({ ...data, 'old-ca.crt': data['ca.crt'] ?? '', 'old-ca-until': 'bmV2ZXI=' })],
    ['no base64', (data) => ({ ...data, 'tls.crt': '!'.repeat(100) })],
    ['too long', (data) => ({ ...data, 'tls.crt': 'QUFB'.repeat(10_000) })],
  ];
  for (const [title, spoil] of SPOILT) {
    test(`a Secret with ${title} is made anew, and what else is in it stays`, async (context) => {
      const world = await startServingWorld(context);
      const serving = world.replica();
      const first = await until('a certificate', () => serving.current());
      await until('both watches', () => world.api.watching === 2);
      const before = world.api.store.objects.get(SECRET_PATH);
      const data = { ...spoil(before?.['data'] as Record<string, string>), other: 'aGVyZQ==' };
      world.api.store.put(SECRET_PATH, { ...before, data });
      // The one before is served until everybody has heard of the new authority.
      await until(
        'a new authority',
        () =>
          /BEGIN/.test(world.secret()['tls.crt'] ?? '') &&
          world.secret()['tls.crt'] !== first.certificate &&
          world.bundles().every((one) => one.split('BEGIN').length === 3),
      );
      assert.equal(serving.current(), first);
      await world.eventually('the new certificate', () => serving.current()?.certificate === world.secret()['tls.crt']);
      assert.equal(world.secret()['other'], 'here');
      await world.eventually('one authority', () => world.bundles().every((one) => one === world.secret()['ca.crt']));
    });
  }

  test('a Secret of another name of the Service is made anew', async (context) => {
    const world = await startServingWorld(context);
    const first = world.replica();
    await until('a certificate', () => first.current());
    const other = world.replica({ dnsNames: ['renamed.system.svc'] });
    await world.eventually('its certificate', () => other.current() !== undefined);
    assert.equal(
      new X509Certificate(other.current()?.certificate ?? '').checkHost('renamed.system.svc'),
      'renamed.system.svc',
    );
  });

  test('while the API server is away the last one is served; afterwards what is due is done', async (context) => {
    const world = await startServingWorld(context);
    const serving = world.replica();
    const first = await until('a certificate', () => serving.current());
    world.api.fault = () => ({ kind: 'reset' });
    world.api.endWatches('cut');
    await world.eventually('a problem', () => serving.problem !== undefined, HOUR);
    assert.equal(serving.current(), first);
    assert.equal(serving.trusted, true);
    world.clock.advance(20 * DAY);
    assert.equal(serving.current(), first);
    world.api.fault = () => undefined;
    await world.eventually('a new one', () => serving.current() !== first);
    assert.equal(serving.problem, undefined);
  });

  const CONFIGURATIONS: readonly (readonly [string, object | undefined, RegExp])[] = [
    ['none', undefined, /404 NotFound/],
    ['without webhooks', { webhooks: [] }, /it has no webhooks/],
    ['with a webhook without a name', { webhooks: [{ clientConfig: {} }] }, /without name or clientConfig/],
    ['with nonsense', { webhooks: ['a'] }, /without name or clientConfig/],
  ];
  for (const [title, configuration, message] of CONFIGURATIONS) {
    test(`a configuration: ${title}`, async (context) => {
      const world = await startServingWorld(context);
      const good = world.api.store.objects.get(CONFIGURATION_PATH) ?? assert.fail();
      if (configuration === undefined) world.api.store.remove(CONFIGURATION_PATH);
      else world.api.store.put(CONFIGURATION_PATH, configuration);
      const serving = world.replica();
      const problem = await until('a problem', () => serving.problem);
      assert.match(problem, message);
      assert.equal(serving.current(), undefined);
      world.api.store.put(CONFIGURATION_PATH, good);
      await world.eventually('a certificate', () => serving.current() !== undefined);
    });
  }

  test('somebody who writes all the time is no endless loop', async (context) => {
    const world = await startServingWorld(context);
    world.api.fault = ({ method }) =>
      method === 'POST' || method === 'PATCH' ? { kind: 'status', status: 409 } : undefined;
    const serving = world.replica();
    const problem = await until('a problem', () => serving.problem);
    assert.match(problem, /Secret injector-tls: it changes all the time; who else writes it\?/);
    assert.equal(world.api.calls.filter(({ method }) => method === 'POST').length, 10);
  });
});

test('lives that do not go together are a start-up fault', () => {
  const settings = {
    namespace: 'a',
    secret: 'b',
    configuration: 'c',
    dnsNames: DNS_NAMES,
    leafMs: DAY,
    authorityMs: 3 * DAY,
  };
  assert.throws(() => createServingCertificate(settings, {} as never), RangeError);
});
