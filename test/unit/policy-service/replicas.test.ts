import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { readBundle } from '../../../src/core/bundle/bundle.ts';
import type { PolicyWorld } from '../../../src/io/policy-service/settings.ts';
import { createManualTimer } from '../../support/manual-timer.ts';
import { policyWorld, startServiceWorld, type ServiceWorld } from '../../support/policy-world.ts';
import { until } from '../../support/until.ts';

const deny = (why: string) => ({ 'p.rego': `package sallyport.platform\n\ndeny contains "${why}" if input.x\n` });
const world = (platform: string, own = 'true'): PolicyWorld => policyWorld({ agents: { policy: own } }, deny(platform));

/** Two injectors behind one Service, with one clock. */
async function twoReplicas(context: TestContext) {
  const timer = createManualTimer();
  const clock = { ms: 1_000_000_000, wallMs: () => clock.ms };
  const [one, other] = await Promise.all([
    startServiceWorld(context, timer.timer, clock),
    startServiceWorld(context, timer.timer, clock),
  ]);
  for (const replica of [one, other]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await tell(replica, world('first'));
    clock.ms += 7;
  }
  clock.ms += 1_000_000;
  return { one, other, clock, timer };
}

async function tell({ service }: ServiceWorld, told: PolicyWorld): Promise<void> {
  service.update(told);
  await service.settled();
}

/** A sidecar: it asks whichever replica its connection leads to, with the ETag of what it has. */
function ask(replica: ServiceWorld, etag: string, wait = 0): Promise<Response> {
  const headers = { 'if-none-match': etag, ...(wait > 0 && { prefer: `wait=${wait}` }) };
  return fetch(replica.url('/v1/policy/agents'), { headers });
}

async function moduleOf(answer: Response): Promise<string> {
  const bundle = readBundle(await answer.bytes());
  return bundle.ok ? new TextDecoder().decode(bundle.value.module?.bytes) : bundle.error.detail;
}

async function etagOf(replica: ServiceWorld): Promise<string> {
  return (await fetch(replica.url('/v1/policy/agents'))).headers.get('etag') ?? '';
}

test("a replica that has not heard of the platform's new rules yet takes them from no sidecar that has them", async (context) => {
  const { one, other, clock } = await twoReplicas(context);
  await tell(one, world('second'));
  clock.ms += 3_000;
  const newer = await etagOf(one);
  const answer = await ask(other, newer);
  assert.deepEqual([answer.status, answer.headers.get('etag')], [304, newer]);
  assert.equal(answer.headers.get('content-type'), 'application/vnd.openpolicyagent.bundles');
  assert.equal((await ask(other, await etagOf(other))).status, 304, 'who has what it has keeps it');
  assert.equal((await fetch(other.url('/v1/policy/agents'))).status, 200, 'who has nothing gets what there is');
});

test('nor where it heard of a change of the namespace since', async (context) => {
  const { one, other, clock } = await twoReplicas(context);
  await tell(one, world('second'));
  clock.ms += 3_000;
  await tell(other, world('first', 'false'));
  assert.equal((await ask(other, await etagOf(one))).status, 304);
  await tell(other, world('second', 'false'));
  assert.equal((await ask(other, await etagOf(one))).status, 200, 'both changes');
});

test('it is held, and answered when the replica has caught up and has something newer still', async (context) => {
  const { one, other, clock } = await twoReplicas(context);
  await tell(one, world('second'));
  const newer = await etagOf(one);
  clock.ms += 3_000;
  const held = ask(other, newer, 300);
  await until('a request that is held', () => other.service.held === 1);
  await tell(other, world('second', 'false'));
  const answer = await held;
  assert.equal(answer.status, 200);
  assert.match(await moduleOf(answer), /second/);
  assert.equal((await ask(one, newer)).status, 304, 'the first has not heard of it');
  assert.equal((await ask(one, answer.headers.get('etag') ?? '')).status, 304);
});

test('a replica that does not hear of it in two minutes serves what it has: nobody is locked out', async (context) => {
  const { one, other, clock, timer } = await twoReplicas(context);
  await tell(one, world('second'));
  const newer = await etagOf(one);
  clock.ms += 3_000;
  const held = ask(other, newer, 300);
  await until('a request that is held', () => other.service.held === 1);
  clock.ms += 117_000;
  await timer.fire(117_000);
  const answer = await held;
  assert.equal(answer.status, 200);
  assert.match(await moduleOf(answer), /first/);
});

test('rules that are taken back are news like others', async (context) => {
  const { one, other, clock } = await twoReplicas(context);
  for (const replica of [one, other]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await tell(replica, world('second'));
    clock.ms += 3_000;
  }
  await tell(one, world('first'));
  assert.equal((await ask(other, await etagOf(one))).status, 304);
  assert.equal((await ask(one, await etagOf(other))).status, 200);
});

test('a sidecar that was away, or has its bundle of a replica that is gone, gets what there is', async (context) => {
  const { one, other, clock } = await twoReplicas(context);
  const old = await etagOf(one);
  await tell(other, world('second'));
  assert.equal((await ask(other, old)).status, 200);
  assert.equal((await ask(other, old.replace(/\..*"/, '"'))).status, 200, 'of an older release');
  clock.ms += 3_000;
  const fresh = await startServiceWorld(context, undefined, clock);
  await tell(fresh, world('third'));
  assert.equal((await ask(fresh, await etagOf(other))).status, 200, 'what a new replica reads is new');
});

test('a change that makes the same bundle is heard of too', async (context) => {
  const { one, other, clock } = await twoReplicas(context);
  await tell(one, world('first', 'false'));
  clock.ms += 3_000;
  const told = world('first');
  const files = told.namespaces.get('agents')?.policy?.files ?? new Map();
  const before = other.service.revisions();
  const policy = { files, decision: 'sallyport/authz/decision' };
  await tell(other, { ...told, namespaces: new Map([['agents', { policy }]]) });
  assert.deepEqual(other.service.revisions(), before);
  assert.equal((await ask(other, await etagOf(one))).status, 200);
});
