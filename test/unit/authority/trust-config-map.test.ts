import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { ok } from '../../../src/core/kernel/result.ts';
import { createApiServer } from '../../../src/io/authority/api-server.ts';
import { createTrustConfigMap } from '../../../src/io/authority/trust-config-map.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { startFakeApiServer } from '../../support/fake-api-server.ts';
import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { realTimer } from '../../support/served-authority.ts';
import { until } from '../../support/until.ts';

const KEY = 'sallyport-system/sallyport-trust';
/** Of a random between half and all of a pause: all but nothing of it. */
const MOST = (length: number): Uint8Array => new Uint8Array(length).fill(255);

async function world(context: TestContext) {
  const api = await startFakeApiServer(context);
  const readFile = (path: string) =>
    Promise.resolve(ok({ bytes: Buffer.from(path === 'ca' ? api.caPem : api.clientToken), mode: 0o600 }));
  const server = createApiServer({ url: api.url, tokenFile: 'token', caFile: 'ca' }, { readFile, timer: realTimer });
  context.after(() => server.stop());
  const authority = new FakeIssuingAuthority();
  const clock = createDrivenClock();
  const publication = createTrustConfigMap(
    { namespace: 'sallyport-system', name: 'sallyport-trust' },
    {
      api: server,
      trust: () => authority.trust(),
      formatBundle: ({ bundles }) => JSON.stringify({ keys: [...bundles.values()].flat().length }),
      timer: clock.timer,
      random: MOST,
    },
  );
  context.after(() => publication.stop());
  const applied = (count: number) => until(`${count} applied`, () => (api.applied.get(KEY) ?? []).length === count);
  /** Until the next step waits for its time. */
  const waiting = () => until('the next step', () => clock.timers === 1);
  const rootsIn = (index: number): readonly Buffer[] => {
    const body = api.applied.get(KEY)?.at(index)?.body as { data: Record<string, string> } | undefined;
    const blocks = pemBlocks(body?.data['roots.pem'] ?? '');
    return blocks.ok ? blocks.value.map(({ der }) => Buffer.from(der)) : [];
  };
  const roots = () => authority.roots.map((der) => Buffer.from(der));
  return { api, authority, clock, publication, applied, waiting, rootsIn, roots };
}

test('at the start the roots are applied, as PEM and as a SPIFFE bundle', async (context) => {
  const { api, publication, waiting, rootsIn, roots } = await world(context);
  assert.equal(publication.isPublished, false);
  publication.start();
  await waiting();
  assert.deepEqual([publication.isPublished, publication.problem], [true, undefined]);
  const [{ query, contentType, body } = {}] = api.applied.get(KEY) ?? [];
  assert.equal(query, 'fieldManager=sallyport-authority&force=true');
  assert.equal(contentType, 'application/apply-patch+yaml');
  const { kind, apiVersion, metadata, data } = body as Record<string, Record<string, unknown>>;
  assert.deepEqual([kind, apiVersion], ['ConfigMap', 'v1']);
  // A label of ours would take the object away from whoever made it: Helm goes by `app.kubernetes.io/managed-by`.
  assert.deepEqual(metadata, { name: 'sallyport-trust', namespace: 'sallyport-system' });
  assert.deepEqual(Object.keys(data ?? {}), ['roots.pem', 'bundle.json']);
  assert.equal(data?.['bundle.json'], '{"keys":1}');
  assert.deepEqual(rootsIn(0), roots());
});

test('a change of the roots is applied at once, a new list is not', async (context) => {
  const { authority, publication, applied, waiting, rootsIn, roots } = await world(context);
  publication.start();
  await waiting();
  authority.publish();
  publication.changed();
  authority.addRoot();
  publication.changed();
  await applied(2);
  await waiting();
  assert.deepEqual(rootsIn(1), roots());
  assert.equal(rootsIn(1).length, 2);
  authority.dropOldRoot();
  publication.changed();
  await applied(3);
  await waiting();
  assert.deepEqual(rootsIn(2), roots());
});

test('what changes while it is written is written right after', async (context) => {
  const { authority, publication, applied, waiting, clock, rootsIn, roots } = await world(context);
  publication.start();
  authority.addRoot();
  publication.changed();
  await applied(1);
  await waiting();
  clock.advance(0);
  await applied(2);
  await waiting();
  assert.deepEqual([rootsIn(0).length, rootsIn(1)], [1, roots()]);
  clock.advance(59_999);
  assert.equal(clock.timers, 1);
});

test('once a minute it is applied again: somebody may have changed or deleted it', async (context) => {
  const { publication, applied, waiting, clock } = await world(context);
  publication.start();
  await waiting();
  clock.advance(59_999);
  await applied(1);
  clock.advance(1);
  await applied(2);
});

test('while the API server is away it is tried again with growing pauses, and told', async (context) => {
  const { api, publication, applied, waiting, clock } = await world(context);
  api.fault = { kind: 'status', status: 500 };
  publication.start();
  for (const pause of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
    await waiting();
    assert.equal(publication.isPublished, false);
    assert.equal(publication.problem, `ConfigMap ${KEY}: the API server answered 500`);
    clock.advance(pause - 1);
    assert.equal(clock.timers, 1);
    clock.advance(1);
  }
  await waiting();
  api.fault = undefined;
  clock.advance(30_000);
  await applied(1);
  await waiting();
  assert.deepEqual([publication.isPublished, publication.problem], [true, undefined]);
});

test('a failure after the first time is told, and it stays published', async (context) => {
  const { api, publication, waiting, clock } = await world(context);
  publication.start();
  await waiting();
  api.fault = { kind: 'status', status: 403 };
  clock.advance(60_000);
  await until('the failure', () => publication.problem !== undefined);
  assert.equal(publication.isPublished, true);
  assert.equal(
    publication.problem,
    `ConfigMap ${KEY}: we may not write it (403); let our service account \`patch\` it, and \`create\` it where it is missing`,
  );
});

test('stopped, nothing is written any more', async (context) => {
  const { authority, publication, applied, waiting, clock } = await world(context);
  publication.changed();
  assert.equal(clock.timers, 0);
  publication.start();
  await waiting();
  publication.stop();
  authority.addRoot();
  publication.changed();
  assert.equal(clock.timers, 0);
  await applied(1);
});
