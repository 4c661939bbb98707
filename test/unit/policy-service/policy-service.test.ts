import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readBundle } from '../../../src/core/bundle/bundle.ts';
import { createPolicyService } from '../../../src/io/policy-service/policy-service.ts';
import type { PolicyWorld } from '../../../src/io/policy-service/settings.ts';
import { readEtag } from '../../../src/io/policy-service/taken-parts.ts';
import { createManualTimer } from '../../support/manual-timer.ts';
import { policyWorld, startServiceWorld, type ServiceWorld } from '../../support/policy-world.ts';
import { until } from '../../support/until.ts';

async function bundleAt(world: ServiceWorld, path: string) {
  const response = await fetch(world.url(path));
  const bytes = new Uint8Array(await response.arrayBuffer());
  const read = response.status === 200 ? readBundle(bytes) : undefined;
  if (read?.ok === false) assert.fail(read.error.detail);
  return { status: response.status, etag: response.headers.get('etag'), bundle: read?.value };
}

const source = (bundle: { module: { bytes: Uint8Array } | undefined } | undefined): string =>
  new TextDecoder().decode(bundle?.module?.bytes);

test('before anything is known 503; then 404 for who takes no part, and for a candidate that is none', async (context) => {
  const world = await startServiceWorld(context);
  assert.equal((await bundleAt(world, '/v1/policy/agents')).status, 503);
  assert.equal(world.service.synced, false);
  world.service.update(policyWorld({ agents: { policy: 'true' } }));
  await world.service.settled();
  assert.equal(world.service.synced, true);
  assert.equal((await bundleAt(world, '/v1/policy/agents')).status, 200);
  assert.equal((await bundleAt(world, '/v1/policy/agents/candidate')).status, 404);
  assert.equal((await bundleAt(world, '/v1/policy/other')).status, 404);
});

test('a bundle holds module, plan and data, and its revision is that of its content', async (context) => {
  const world = await startServiceWorld(context);
  world.service.update(policyWorld({ agents: { policy: 'true', candidate: 'false' } }));
  await world.service.settled();
  const { bundle, etag } = await bundleAt(world, '/v1/policy/agents');
  const candidate = await bundleAt(world, '/v1/policy/agents/candidate');
  assert.match(bundle?.revision ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.equal(readEtag(etag ?? '')?.revision, bundle?.revision);
  assert.notEqual(candidate.etag, etag);
  assert.deepEqual(bundle?.module?.entrypoints, ['sallyport/composed/decision']);
  assert.ok(bundle?.planJson !== undefined, 'the plan is tied to the module');
  assert.equal((JSON.parse(bundle.dataJson) as { kubernetes: { namespace: string } }).kubernetes.namespace, 'agents');
  assert.deepEqual([...world.service.revisions().keys()].sort(), ['agents', 'agents/candidate']);
  const other = await startServiceWorld(context);
  other.service.update(policyWorld({ zeta: {}, agents: { policy: 'true' } }));
  await other.service.settled();
  assert.equal((await bundleAt(other, '/v1/policy/agents')).etag, etag, 'another replica serves the same');
});

/** A namespace whose labels say which team it is. */
function labelled(team: string): PolicyWorld {
  const namespaces = new Map([['agents', { labels: { team }, serviceAccounts: new Map() }]]);
  return policyWorld({ agents: { policy: 'true' } }, {}, { namespaces });
}

test('other labels are other data of the same compilation', async (context) => {
  const world = await startServiceWorld(context);
  world.service.update(labelled('a'));
  await world.service.settled();
  const before = await bundleAt(world, '/v1/policy/agents');
  world.service.update(labelled('b'));
  await world.service.settled();
  const after = await bundleAt(world, '/v1/policy/agents');
  assert.notEqual(before.etag, after.etag);
  assert.match(after.bundle?.dataJson ?? '', /"team":"b"/);
  assert.equal(world.compilations.length, 1);
  world.service.update(labelled('b'));
  await world.service.settled();
  assert.equal(world.compilations.length, 1);
});

test('a policy that does not compile leaves the last good one in place, and is told once', async (context) => {
  const world = await startServiceWorld(context);
  world.service.update(policyWorld({ agents: { policy: 'true' }, other: { policy: 'true' } }));
  await world.service.settled();
  const { etag } = await bundleAt(world, '/v1/policy/agents');
  world.faults.set('broken', { problems: ['namespace/authz.rego:3:1: rego_parse_error'], again: false });
  for (let round = 0; round < 2; round++) {
    world.service.update(policyWorld({ agents: { policy: 'broken' }, other: { policy: 'false' } }));
    // oxlint-disable-next-line no-await-in-loop -- one world after the other
    await world.service.settled();
  }
  assert.equal((await bundleAt(world, '/v1/policy/agents')).etag, etag);
  assert.match(source((await bundleAt(world, '/v1/policy/other')).bundle), /decision := false/);
  assert.deepEqual([...world.service.problems()], [['agents', ['namespace/authz.rego:3:1: rego_parse_error']]]);
  assert.equal(world.told.length, 1);
  world.service.update(policyWorld({ agents: { policy: 'true' } }));
  await world.service.settled();
  assert.equal(world.service.problems().size, 0);
  assert.deepEqual(world.told.at(-1), { subject: { kind: 'policy', namespace: 'agents' }, problems: undefined });
  assert.equal((await bundleAt(world, '/v1/policy/agents')).etag, etag);
});

test('a first policy that is no good is 503, so that a sidecar keeps what it has: never a policy of nobody', async (context) => {
  const world = await startServiceWorld(context);
  world.faults.set('broken', { problems: ['no'], again: false });
  world.service.update(policyWorld({ agents: { policy: 'broken' } }));
  await world.service.settled();
  const response = await fetch(world.url('/v1/policy/agents'));
  assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '2']);
});

test('a namespace that tries to speak for the platform keeps its last good policy', async (context) => {
  const world = await startServiceWorld(context);
  world.service.update(policyWorld({ agents: { policy: 'true' } }));
  await world.service.settled();
  const files = new Map([['x.rego', 'package sallyport.platform\n\ndeny := set()\n']]);
  world.service.update({ ...policyWorld({}), namespaces: new Map([['agents', { policy: { files } }]]) });
  await world.service.settled();
  assert.match(
    world.service.problems().get('agents')?.join('\n') ?? '',
    /package sallyport\.platform is the platform's/,
  );
  assert.equal((await bundleAt(world, '/v1/policy/agents')).status, 200);
});

const rules = (body: string) => ({ 'p.rego': `package sallyport.platform\n\ndeny contains "${body}" if input.x\n` });

test("platform rules that are no good change nothing for anybody; good ones come into everybody's policy", async (context) => {
  const world = await startServiceWorld(context);
  const both = { agents: { policy: 'true' }, other: {} };
  world.service.update(policyWorld(both, rules('first')));
  await world.service.settled();
  world.faults.set('second', { problems: ['platform/p.rego: wrong'], again: false });
  world.service.update(policyWorld({ ...both, late: { policy: 'true' } }, rules('second')));
  await world.service.settled();
  assert.deepEqual([...world.service.problems()], [['', ['platform/p.rego: wrong']]]);
  for (const name of ['agents', 'other'])
    // oxlint-disable-next-line no-await-in-loop -- a handful
    assert.match(source((await bundleAt(world, `/v1/policy/${name}`)).bundle), /first/);
  assert.equal((await bundleAt(world, '/v1/policy/late')).status, 503);
  world.service.update(policyWorld(both, rules('third')));
  await world.service.settled();
  assert.equal(world.service.problems().size, 0);
  assert.match(source((await bundleAt(world, '/v1/policy/agents')).bundle), /third/);
});

test('default.rego is the policy of who has none; without it the reason says what to create', async (context) => {
  const world = await startServiceWorld(context);
  world.service.update(policyWorld({ agents: {} }));
  await world.service.settled();
  assert.match(source((await bundleAt(world, '/v1/policy/agents')).bundle), /create ConfigMap sallyport-policy/);
  const platform = { 'default.rego': 'package sallyport.authz\n\ndecision := input.of_default\n' };
  world.service.update(policyWorld({ agents: {}, own: { policy: 'true' } }, platform));
  await world.service.settled();
  assert.match(source((await bundleAt(world, '/v1/policy/agents')).bundle), /of_default/);
  assert.doesNotMatch(source((await bundleAt(world, '/v1/policy/own')).bundle), /of_default/);
});

test('whoever takes part no more is forgotten, with what was wrong of it', async (context) => {
  const world = await startServiceWorld(context);
  world.faults.set('broken', { problems: ['no'], again: false });
  world.service.update(policyWorld({ agents: { policy: 'true', candidate: 'broken' } }));
  await world.service.settled();
  assert.deepEqual([...world.service.problems().keys()], ['agents/candidate']);
  world.service.update(policyWorld({}));
  await world.service.settled();
  assert.equal((await bundleAt(world, '/v1/policy/agents')).status, 404);
  assert.deepEqual([world.service.problems().size, world.service.revisions().size], [0, 0]);
});

test('a compiler that was ended is asked again by itself', async (context) => {
  const timer = createManualTimer();
  const world = await startServiceWorld(context, timer.timer);
  world.faults.set('decision', { problems: ['rego_compiler_failed'], again: true });
  world.service.update(policyWorld({ agents: { policy: 'true' } }));
  await world.service.settled();
  assert.deepEqual(world.service.problems().get('agents'), ['rego_compiler_failed']);
  world.faults.clear();
  await timer.fire(5_000);
  await world.service.settled();
  assert.equal((await bundleAt(world, '/v1/policy/agents')).status, 200);
  assert.equal(world.service.problems().size, 0);
});

function endlessBeside(other: string): PolicyWorld {
  return policyWorld({ agents: { policy: 'endless' }, other: { policy: other } });
}

test('a compiler that one policy ends again and again is not kept busy with it: longer and longer pauses, and none of the others waits', async (context) => {
  const timer = createManualTimer();
  const world = await startServiceWorld(context, timer.timer);
  world.faults.set('endless', { problems: ['rego_compiler_failed'], again: true });
  world.service.update(endlessBeside('0'));
  await world.service.settled();
  const ended = () => world.compilations.length - built;
  let built = world.compilations.length;
  for (let change = 1; change <= 5; change++) {
    world.service.update(endlessBeside(`${change}`));
    // oxlint-disable-next-line no-await-in-loop -- one world after the other
    await world.service.settled();
  }
  assert.equal(ended(), 5, 'changes of others are no reason to try it again');
  for (const pause of [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 320_000]) {
    built = world.compilations.length;
    assert.deepEqual(timer.set(), [pause]);
    // oxlint-disable-next-line no-await-in-loop -- as above
    await timer.fire(pause);
    // oxlint-disable-next-line no-await-in-loop -- as above
    await world.service.settled();
    assert.equal(ended(), 1);
  }
  world.service.update(policyWorld({ agents: { policy: 'true' }, other: { policy: '5' } }));
  await world.service.settled();
  assert.deepEqual([timer.set(), world.service.problems().size], [[], 0]);
});

test('one namespace that changes all the time does not keep the service from being ready', async (context) => {
  const world = await startServiceWorld(context);
  let change = 0;
  const changed = () => {
    change += 1;
    world.service.update(policyWorld({ busy: { policy: `${change}` }, agents: { policy: 'true' } }));
  };
  let go = world.hold();
  changed();
  let isSynced = false;
  for (let step = 0; step < 50 && !isSynced; step++) {
    const before = world.compilations.length;
    const next = world.hold();
    changed();
    go();
    go = next;
    // oxlint-disable-next-line no-await-in-loop -- one compilation after the other
    await until('the next compilation', () => world.compilations.length > before);
    isSynced = world.service.synced;
  }
  go();
  assert.ok(isSynced);
  await world.service.settled();
  assert.equal((await bundleAt(world, '/v1/policy/agents')).status, 200);
});

test('a namespace that leaves before its first policy was built is not waited for', async (context) => {
  const world = await startServiceWorld(context);
  const go = world.hold();
  world.service.update(policyWorld({ agents: { policy: 'true' }, leaving: { policy: 'false' } }));
  await until('a compilation', () => world.compilations.length === 1);
  world.service.update(policyWorld({ agents: { policy: 'true' } }));
  assert.equal(world.service.synced, false);
  go();
  await world.service.settled();
  assert.equal(world.service.synced, true);
});

test('a thousand changes while one is compiled are one more build each, and the newest counts', async (context) => {
  const world = await startServiceWorld(context);
  const go = world.hold();
  world.service.update(policyWorld({ agents: { policy: '0' } }));
  await until('a compilation', () => world.compilations.length === 1);
  for (let change = 1; change <= 1_000; change++)
    world.service.update(policyWorld({ agents: { policy: `${change}` } }));
  go();
  await world.service.settled();
  assert.equal(world.compilations.length, 2);
  assert.match(source((await bundleAt(world, '/v1/policy/agents')).bundle), /decision := 1000/);
});

test('problems are told in full, but not without bounds', async (context) => {
  const world = await startServiceWorld(context);
  const problems = Array.from({ length: 30 }, (_, index) => `${index} ${'x'.repeat(2_000)}`);
  world.faults.set('broken', { problems, again: false });
  world.service.update(policyWorld({ agents: { policy: 'broken' } }));
  await world.service.settled();
  const told = world.service.problems().get('agents') ?? [];
  assert.deepEqual([told.length, told.at(-1), told[0]?.length], [21, 'and 10 more', 1_000]);
});

test('an address beyond loopback is refused at start: nobody is asked who they are', () => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1'])
    assert.throws(() => createPolicyService({ listen: { host, port: 0 } }, {} as never), /not on loopback/);
});
