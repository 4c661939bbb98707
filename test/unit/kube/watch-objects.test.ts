import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';

import { CONFIG_MAPS, NAMESPACES } from '../../../src/io/kube/api-resource.ts';
import { watchObjects } from '../../../src/io/kube/watch-objects.ts';
import { startFakeKubeApi, type FakeKubeApi } from '../../support/fake-kube-api.ts';
import { createDrivenClock, type DrivenClock } from '../../support/driven-clock.ts';
import { clientOf } from '../../support/kube-client.ts';
import { until } from '../../support/until.ts';

import type { KubeObject } from '../../../src/io/kube/api-resource.ts';
import type { ObjectWatch, WatchSettings } from '../../../src/io/kube/watch-objects.ts';

type World = {
  readonly api: FakeKubeApi;
  readonly clock: DrivenClock;
  readonly watch: ObjectWatch<string>;
  readonly told: string[][];
  readonly faults: string[];
};

/** What is kept of a ConfigMap: its `text`; one without is not kept. */
function textOf({ text }: KubeObject): string | undefined {
  return typeof text === 'string' ? text : undefined;
}

/** The longest wait of each back-off. */
function random(length: number): Uint8Array {
  return new Uint8Array(length).fill(0xff);
}

async function world(context: TestContext, settings: Partial<WatchSettings> = {}): Promise<World> {
  const api = await startFakeKubeApi(context);
  const clock = createDrivenClock();
  const faults: string[] = [];
  const client = clientOf(context, api, faults, clock.timer);
  const deps = { api: client, read: textOf, clock, random, timer: clock.timer };
  const watch = watchObjects({ resource: CONFIG_MAPS, ...settings }, deps);
  context.after(() => Promise.all([client.stop(), watch.stop()]));
  const told: string[][] = [];
  watch.onChange((keys) => void told.push([...keys].sort()));
  return { api, clock, watch, told, faults };
}

function put(api: FakeKubeApi, namespace: string, name: string, text?: string): void {
  api.store.put(`/api/v1/namespaces/${namespace}/configmaps/${name}`, { text });
}

const known = ({ watch }: World): Readonly<Record<string, string>> => Object.fromEntries(watch.current());

/** Lets waits end until something is so. */
async function eventually(what: string, { clock }: World, look: () => boolean): Promise<void> {
  await until(what, () => {
    if (look()) return true;
    clock.advance(500);
    return false;
  });
}

describe('objects that are followed', () => {
  test('a list, then every change; nothing is asked twice', async (context) => {
    const the = await world(context);
    const { api, watch, told } = the;
    put(api, 'a', 'one', '1');
    put(api, 'b', 'one', '2');
    put(api, 'b', 'nothing');
    assert.equal(watch.synced, false);
    watch.start();
    await until('the watch', () => api.watching === 1);
    assert.equal(watch.synced, true);
    assert.deepEqual(known(the), { 'a/one': '1', 'b/one': '2' });
    put(api, 'a', 'two', '3');
    put(api, 'a', 'one', '4');
    api.store.remove('/api/v1/namespaces/b/configmaps/one');
    await until('the changes', () => told.length === 4);
    assert.deepEqual(known(the), { 'a/one': '4', 'a/two': '3' });
    assert.deepEqual(told, [['a/one', 'b/one'], ['a/two'], ['a/one'], ['b/one']]);
    put(api, 'a', 'two');
    await until('the change', () => told.length === 5);
    assert.deepEqual(known(the), { 'a/one': '4' });
    assert.deepEqual(
      api.calls.map(({ query }) => query.get('watch')),
      [null, '1'],
    );
  });

  test('one object of one namespace, metadata only', async (context) => {
    const resource = { ...CONFIG_MAPS, namespace: 'a' };
    const the = await world(context, { resource, fieldSelector: 'metadata.name=x', metadataOnly: true });
    put(the.api, 'a', 'x', '1');
    put(the.api, 'a', 'y', '2');
    the.watch.start();
    await until('the watch', () => the.api.watching === 1);
    assert.deepEqual(known(the), { 'a/x': '1' });
    for (const { path, query, accept } of the.api.calls) {
      assert.equal(path, '/api/v1/namespaces/a/configmaps');
      assert.equal(query.get('fieldSelector'), 'metadata.name=x');
      assert.match(accept, /as=PartialObjectMetadata/);
    }
  });

  test('a watch that ends as agreed goes on from where it was, bookmarks count', async (context) => {
    const the = await world(context);
    const { api, clock, watch } = the;
    put(api, 'a', 'one', '1');
    watch.start();
    await until('the watch', () => api.watching === 1);
    api.store.version += 50;
    api.bookmark();
    put(api, 'a', 'one', '2');
    await until('the change', () => known(the)['a/one'] === '2');
    clock.advance(60_000);
    api.endWatches('end');
    await until('the next watch', () => api.calls.length === 3);
    assert.equal(api.calls[2]?.query.get('resourceVersion'), String(api.store.version));
    assert.equal(watch.problem, undefined);
  });

  test('a resourceVersion that is too old: the list is read again at once, what went is gone', async (context) => {
    const the = await world(context);
    const { api, clock, watch, told } = the;
    put(api, 'a', 'one', '1');
    put(api, 'a', 'two', '2');
    watch.start();
    await until('the watch', () => api.watching === 1);
    clock.advance(60_000);
    api.fault = ({ query }) => (query.get('watch') === '1' ? { kind: 'status', status: 410 } : undefined);
    api.store.remove('/api/v1/namespaces/a/configmaps/one');
    await until('the change', () => told.length === 2);
    put(api, 'a', 'three', '3');
    await until('the change', () => told.length === 3);
    api.endWatches('end');
    await until('the refusal', () => the.faults.length > 0);
    api.fault = () => undefined;
    await eventually('the next watch', the, () => api.watching === 1);
    assert.deepEqual(known(the), { 'a/two': '2', 'a/three': '3' });
    assert.equal(watch.staleSinceMs, undefined);
  });

  test('a server that always says 410 is not asked without a pause', async (context) => {
    const the = await world(context);
    the.api.fault = ({ query }) => (query.get('watch') === '1' ? { kind: 'status', status: 410 } : undefined);
    the.watch.start();
    await until('a problem', () => the.watch.problem);
    assert.equal(the.watch.problem?.kind, 'gone');
    assert.deepEqual(the.faults, ['watch gone', 'watch gone']);
    assert.equal(the.clock.timers, 1);
  });
});

describe('an API server that is away', () => {
  const AWAY = [
    { kind: 'reset' },
    { kind: 'status', status: 500 },
    { kind: 'status', status: 403 },
    { kind: 'status', status: 429 },
    { kind: 'text', text: '<html>' },
    { kind: 'watch', text: '{"type":"WHAT"}\n' },
  ] as const;
  for (const fault of AWAY) {
    test(`${JSON.stringify(fault)}: nothing is dropped, and since when is told`, async (context) => {
      const the = await world(context);
      const { api, clock, watch } = the;
      put(api, 'a', 'one', '1');
      watch.start();
      await until('the watch', () => api.watching === 1);
      clock.advance(60_000);
      const since = clock.wallMs();
      api.fault = () => fault;
      api.endWatches('cut');
      await until('a problem', () => watch.problem !== undefined);
      assert.equal(watch.staleSinceMs, since);
      await eventually('more tries', the, () => the.faults.length > 4);
      assert.equal(watch.staleSinceMs, since);
      assert.deepEqual(known(the), { 'a/one': '1' });
      put(api, 'a', 'one', '2');
      api.fault = () => undefined;
      await eventually('the change', the, () => known(the)['a/one'] === '2');
      await eventually('health', the, () => watch.problem === undefined && watch.staleSinceMs === undefined);
    });
  }

  test('waits grow to half a minute, and Retry-After is kept to', async (context) => {
    const the = await world(context);
    the.api.fault = () => ({ kind: 'status', status: 503 });
    the.watch.start();
    for (const ms of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      const before = the.faults.length;
      await until('a failure', () => the.clock.timers === 1);
      const { length } = the.api.calls;
      the.clock.advance(ms * 0.9);
      assert.equal(the.api.calls.length, length);
      the.clock.advance(ms * 0.1);
      await until('the next', () => the.faults.length > before);
    }
    the.api.fault = () => ({ kind: 'status', status: 429, retryAfter: '120' });
    await until('a wait', () => the.clock.timers === 1);
    const before = the.faults.length;
    the.clock.advance(30_000);
    await until('a wait', () => the.faults.length > before && the.clock.timers === 1);
    const { length } = the.api.calls;
    the.clock.advance(119_000);
    assert.equal(the.api.calls.length, length);
  });

  test('never reached: not synced, stale since never', async (context) => {
    const the = await world(context);
    the.api.fault = () => ({ kind: 'status', status: 403 });
    the.watch.start();
    await until('a problem', () => the.watch.problem?.kind === 'forbidden');
    assert.equal(the.watch.synced, false);
    assert.equal(the.watch.staleSinceMs, undefined);
  });
});

describe('bounds', () => {
  test('pages that are too large are asked for in smaller ones', async (context) => {
    const the = await world(context, { maxBytes: 20_000 });
    for (let index = 0; index < 40; index += 1) put(the.api, 'a', `m${index}`, 'x'.repeat(1_000));
    the.watch.start();
    await until('all', () => the.watch.synced);
    assert.equal(the.watch.current().size, 40);
    assert.deepEqual(
      the.api.calls.slice(0, 7).map(({ query }) => query.get('limit')),
      ['500', '250', '125', '63', '32', '16', '16'],
    );
  });

  test('one object that is too large is a problem, and what was known stays', async (context) => {
    const the = await world(context, { maxBytes: 20_000 });
    put(the.api, 'a', 'one', '1');
    the.watch.start();
    await until('the watch', () => the.api.watching === 1);
    put(the.api, 'a', 'huge', 'x'.repeat(30_000));
    await eventually('a problem', the, () => the.watch.problem?.kind === 'too_large' && the.faults.length > 5);
    assert.deepEqual(known(the), { 'a/one': '1' });
  });

  test('more objects than are allowed, from the start and later', async (context) => {
    const the = await world(context, { resource: NAMESPACES, maxObjects: 2 });
    const add = (name: string): void => void the.api.store.put(`/api/v1/namespaces/${name}`, { text: name });
    add('a');
    add('b');
    the.watch.start();
    await until('the watch', () => the.api.watching === 1);
    add('c');
    await eventually('a problem', the, () => the.watch.problem?.kind === 'too_large');
    assert.match(the.watch.problem?.detail ?? '', /more than 2/);
    the.api.store.remove('/api/v1/namespaces/c');
    await eventually('health', the, () => the.watch.problem === undefined && the.watch.current().size === 2);
  });
});

test('stop ends a watch, and a wait, for good', async (context) => {
  const the = await world(context);
  the.watch.start();
  await until('the watch', () => the.api.watching === 1);
  await the.watch.stop();
  await until('no watch', () => the.api.watching === 0);
  const other = await world(context);
  other.api.fault = () => ({ kind: 'status', status: 500 });
  other.watch.start();
  await until('a wait', () => other.clock.timers === 1);
  await other.watch.stop();
  assert.equal(other.clock.timers, 0);
});
