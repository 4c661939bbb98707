import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';

import { err, ok } from '../../../src/core/kernel/result.ts';
import { prunePods, putPod, podOf, type ProvenPod } from '../../../src/io/authority/pod-rows.ts';
import { createPodKeeper } from '../../../src/io/authority/pod-keeper.ts';
import {
  createAuthorityWorld,
  DAY,
  HOUR,
  newCsr,
  valueOf,
  type AuthorityWorld,
} from '../../support/authority-world.ts';

import type { Attestation } from '../../../src/core/model/svid.ts';
import type { PodFacts } from '../../../src/io/authority/pod-answer.ts';
import type { PodDirectory } from '../../../src/io/authority/pod-directory.ts';

const HOME = '10.1.0.7';
const POD: PodFacts = {
  uid: 'u1',
  serviceAccount: 'researcher',
  isEnding: false,
  isFinished: false,
  isOnHostNetwork: false,
  addresses: [HOME],
};

/** A cluster of one pod; undefined where it is gone, a text where the API server is away. */
function cluster() {
  const state: { pod: PodFacts | undefined | string; asked: string[] } = { pod: POD, asked: [] };
  const pods: PodDirectory = {
    find: (namespace, name) => {
      state.asked.push(`${namespace}/${name}`);
      return Promise.resolve(typeof state.pod === 'string' ? err(state.pod) : ok(state.pod));
    },
  };
  return { state, pods };
}

const ENROLMENT: Extract<Attestation, { kind: 'kubernetes' }> = {
  kind: 'kubernetes',
  namespace: 'agents',
  serviceAccount: 'researcher',
  pod: { name: 'researcher-1', uid: 'u1', addresses: [HOME] },
};

describe('who was let in by a pod renews while the pod lives', () => {
  async function world(context: TestContext, isAddressed = true) {
    const { state, pods } = cluster();
    const base = await createAuthorityWorld(context);
    const authority = await base.run({ podProof: { isAddressed, outageMs: DAY }, leafTtlMs: 30 * DAY }, undefined, {
      pods,
    });
    const first = valueOf(await authority.issue(ENROLMENT, await newCsr(), HOME));
    const renew = async (source = HOME, serial = first.serial) => {
      base.clock.advance(6_000);
      return authority.issue({ kind: 'certificate', spiffeId: first.spiffeId, serial }, await newCsr(), source);
    };
    const kind = async (source = HOME): Promise<string> => {
      const issued = await renew(source);
      return issued.ok ? 'issued' : `${issued.error.kind}: ${issued.error.detail}`;
    };
    return { ...base, state, authority, first, renew, kind };
  }

  test('it lives: renewed, asked for by name, and its record names the pod', async (context) => {
    const { renew, state, store } = await world(context);
    const { serial } = valueOf(await renew());
    assert.deepEqual(state.asked, ['agents/researcher-1']);
    const lines = valueOf(store.read((database) => database.prepare('SELECT line FROM records').all()));
    const last = lines.map((row) => String(row['line'])).findLast((line) => line.includes(serial)) ?? '';
    const { sallyport } = JSON.parse(last) as { sallyport: Record<string, string> };
    const { method, source, pod, pod_uid: uid } = sallyport;
    assert.deepEqual([method, source, pod, uid], ['certificate', HOME, 'researcher-1', 'u1']);
  });

  const GONE: readonly (readonly [title: string, pod: PodFacts | undefined, source: string, kind: string])[] = [
    ['it is gone', undefined, HOME, 'caller_refused: pod u1 is there no more'],
    [
      'its name is that of another',
      { ...POD, uid: 'u2' },
      HOME,
      'caller_refused: pod u1 is there no more; its name is that of u2',
    ],
    ['it has finished', { ...POD, isFinished: true }, HOME, 'caller_refused: pod u1 has finished'],
    [
      'another service account',
      { ...POD, serviceAccount: 'x' },
      HOME,
      'caller_refused: pod u1 runs as x, not as researcher',
    ],
    [
      'its key was taken elsewhere',
      POD,
      '10.1.0.8',
      'caller_refused: pod u1 has 10.1.0.7, and the connection comes from 10.1.0.8',
    ],
    [
      'it moved to the network of its node',
      { ...POD, isOnHostNetwork: true },
      HOME,
      'caller_refused: pod u1 is on the network of its node, where its address proves nothing',
    ],
    ['it has no address just now', { ...POD, addresses: [] }, HOME, 'proof_unavailable: pod u1 has no address yet'],
  ];
  for (const [title, pod, source, expected] of GONE)
    test(`${title}: ${expected.split(':', 1)[0]}`, async (context) => {
      const { kind, state, authority } = await world(context);
      state.pod = pod;
      assert.equal(await kind(source), expected);
      assert.equal(authority.figures().issued, 1);
      state.pod = POD;
      assert.equal(await kind(), 'issued');
    });

  test('one that is being deleted works on until it is gone', async (context) => {
    const { kind, state } = await world(context);
    state.pod = { ...POD, isEnding: true };
    assert.equal(await kind(), 'issued');
  });

  test('podAddress: false: from any address, while it lives', async (context) => {
    const { kind, state } = await world(context, false);
    assert.equal(await kind('192.0.2.1'), 'issued');
    state.pod = undefined;
    assert.match(await kind('192.0.2.1'), /^caller_refused/);
    state.pod = 'away';
    assert.equal(await kind('192.0.2.1'), 'issued');
  });

  test('an outage of the API server takes no identity away at once, and ends: a day after the last proof', async (context) => {
    const { kind, state, clock, authority } = await world(context);
    state.pod = 'pod: failed (ECONNREFUSED)';
    assert.equal(await kind(), 'issued');
    clock.advance(DAY - HOUR);
    assert.equal(await kind(), 'issued');
    const { podsUnproven, podProblem } = authority.figures();
    assert.deepEqual([podsUnproven, podProblem], [2, 'pod: failed (ECONNREFUSED)']);
    clock.advance(HOUR);
    assert.match(await kind(), /^proof_unavailable: pod u1 was proven last at 2023-11-14T22:13:20\.000Z: pod: failed/);
    // A proof begins the day anew.
    state.pod = POD;
    assert.equal(await kind(), 'issued');
    assert.equal(authority.figures().podProblem, undefined);
    state.pod = 'away';
    clock.advance(DAY - HOUR);
    assert.equal(await kind(), 'issued');
  });

  test('in an outage the address that was proven last counts', async (context) => {
    const { kind, state } = await world(context);
    state.pod = { ...POD, addresses: ['10.1.0.9'] };
    assert.equal(await kind('10.1.0.9'), 'issued');
    state.pod = 'away';
    assert.match(
      await kind(HOME),
      /^caller_refused: pod u1 had 10\.1\.0\.9, and the connection comes from 10\.1\.0\.7/,
    );
    assert.equal(await kind('::ffff:10.1.0.9'), 'issued');
  });

  test('the last proof survives a restart of the authority', async (context) => {
    const { state, pods } = cluster();
    const base = await createAuthorityWorld(context);
    const settings = { podProof: { isAddressed: true, outageMs: DAY }, leafTtlMs: 30 * DAY };
    const one = await base.run(settings, undefined, { pods });
    const first = valueOf(await one.issue(ENROLMENT, await newCsr(), HOME));
    await one.stop();
    state.pod = 'away';
    base.clock.advance(DAY + 1);
    const other = await base.run(settings, undefined, { pods });
    const again = await other.issue(
      { kind: 'certificate', spiffeId: first.spiffeId, serial: first.serial },
      await newCsr(),
      HOME,
    );
    assert.equal(again.ok ? 'issued' : again.error.kind, 'proof_unavailable');
  });

  test('who was let in by a token that is bound to no pod, or before pods were asked for, enrols anew', async (context) => {
    const { pods } = cluster();
    const base = await createAuthorityWorld(context);
    const before = await base.run();
    const first = valueOf(
      await before.issue({ ...ENROLMENT, pod: { name: 'researcher-1', uid: 'u1' } }, await newCsr(), HOME),
    );
    const free = valueOf(await before.issue({ ...ENROLMENT, pod: undefined }, await newCsr(), HOME));
    const joined = valueOf(await before.issue(base.token(), await newCsr(), HOME));
    await before.stop();
    const authority = await base.run({}, undefined, { pods });
    const renewals = [];
    for (const { spiffeId, serial } of [first, free, joined]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other, as their records stand
      const renewed = await authority.issue({ kind: 'certificate', spiffeId, serial }, await newCsr(), HOME);
      renewals.push(renewed.ok ? 'issued' : renewed.error.detail);
    }
    assert.deepEqual(renewals, [
      'pod u1 was never compared with the API server; it enrols anew',
      'account:agents/researcher got its first certificate by a token that is bound to no pod',
      'issued',
    ]);
  });

  test('a stolen key from elsewhere uses up nothing of what the pods of its ID renew with', async (context) => {
    const { pods } = cluster();
    const base = await createAuthorityWorld(context);
    const taken: string[] = [];
    const limits = { takeSource: () => true, takeId: (id: string) => taken.push(id) <= 2 };
    const podProof = { isAddressed: true, outageMs: DAY };
    const authority = await base.run({ podProof }, limits, { pods });
    const { spiffeId, serial } = valueOf(await authority.issue(ENROLMENT, await newCsr(), HOME));
    const renew = async (source: string) => {
      const renewed = await authority.issue({ kind: 'certificate', spiffeId, serial }, await newCsr(), source);
      return renewed.ok ? 'issued' : renewed.error.kind;
    };
    const kinds: string[] = [];
    for (const source of ['10.1.0.8', '10.1.0.8', '10.1.0.8', HOME, HOME])
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      kinds.push(await renew(source));
    assert.deepEqual(kinds, ['caller_refused', 'caller_refused', 'caller_refused', 'issued', 'rate_limited']);
    assert.deepEqual(taken, [spiffeId, spiffeId, spiffeId]);
  });

  test('a pod renews no more once its service account is not configured any more', async (context) => {
    const { pods } = cluster();
    const base = await createAuthorityWorld(context);
    const template = 'spiffe://example.org/ns/{namespace}/sa/{serviceAccount}';
    const podProof = { isAddressed: true, outageMs: DAY };
    const run = (namespaces: Readonly<Record<string, readonly string[]>>) =>
      base.run({ podProof, kubernetes: { template, namespaces } }, undefined, { pods });
    const before = await run({ agents: ['researcher'], other: ['*'] });
    const { spiffeId, serial } = valueOf(await before.issue(ENROLMENT, await newCsr(), HOME));
    const renewal = { kind: 'certificate', spiffeId, serial } as const;
    assert.equal((await before.issue(renewal, await newCsr(), HOME)).ok, true);
    await before.stop();
    const after = await run({ agents: ['other'], other: ['*'] });
    const refused = await after.issue(renewal, await newCsr(), HOME);
    assert.deepEqual(refused.ok || refused.error, { kind: 'caller_refused', detail: 'pod:u1 is configured no more' });
  });

  test('what was refused before a certificate could be asked for is in the log, within the limits of its source', async (context) => {
    const base = await createAuthorityWorld(context);
    let left = 1;
    const authority = await base.run({}, { takeSource: () => left-- > 0, takeId: () => true });
    const { kind: _, ...account } = ENROLMENT;
    await authority.noteRefusal({ source: '10.1.0.8', account }, 'pod u1 has 10.1.0.7');
    await authority.noteRefusal({ source: '10.1.0.8', account: undefined }, 'one too many');
    const lines = valueOf(base.store.read((database) => database.prepare('SELECT line FROM records').all()));
    const refused = lines
      .map((row) => JSON.parse(String(row['line'])) as { event: string; sallyport: object })
      .filter(({ event }) => event === 'refused');
    assert.equal(refused.length, 1);
    const { prev: __, hash: ___, ...said } = (refused[0]?.sallyport ?? {}) as Record<string, string>;
    assert.deepEqual(said, {
      method: 'kubernetes',
      source: '10.1.0.8',
      service_account: 'agents/researcher',
      pod: 'researcher-1',
      pod_uid: 'u1',
      fault: 'caller_refused',
      detail: 'pod u1 has 10.1.0.7',
    });
    assert.equal(authority.figures().refused.caller_refused, 2);
  });
});

describe('the keeper', () => {
  const KNOWN: ProvenPod = {
    uid: 'u1',
    namespace: 'agents',
    name: 'researcher-1',
    serviceAccount: 'researcher',
    addresses: [HOME],
    provenMs: 1_700_000_000_000,
  };

  async function kept(context: TestContext, count = 1) {
    const base: AuthorityWorld = await createAuthorityWorld(context);
    valueOf(
      base.store.write(({ database }) => {
        for (let index = 1; index <= count; index += 1)
          putPod(database, { ...KNOWN, uid: `u${index}`, name: `n${index}` });
      }),
    );
    const { state, pods } = cluster();
    const keeper = createPodKeeper(
      { isAddressed: false, outageMs: DAY },
      { pods, store: base.store, clock: base.clock },
    );
    return { ...base, state, keeper };
  }

  test('an answer is believed for five seconds, a failure is not', async (context) => {
    const { keeper, state, clock } = await kept(context);
    await keeper.check('pod:u1', HOME);
    clock.advance(4_999);
    await keeper.check('pod:u1', HOME);
    assert.equal(state.asked.length, 1);
    clock.advance(1);
    state.pod = 'away';
    await keeper.check('pod:u1', HOME);
    state.pod = POD;
    await keeper.check('pod:u1', HOME);
    assert.equal(state.asked.length, 3);
    assert.equal(keeper.problem, undefined);
  });

  test('what is remembered never turns away: a pod that was gone, or elsewhere, is asked for again', async (context) => {
    const base: AuthorityWorld = await createAuthorityWorld(context);
    valueOf(base.store.write(({ database }) => putPod(database, KNOWN)));
    const { state, pods } = cluster();
    const settings = { isAddressed: true, outageMs: DAY };
    const keeper = createPodKeeper(settings, { pods, store: base.store, clock: base.clock });
    assert.equal((await keeper.check('pod:u1', HOME)).ok, true);
    state.pod = { ...POD, addresses: ['10.1.0.8'] };
    assert.equal((await keeper.check('pod:u1', '10.1.0.8')).ok, true);
    assert.equal((await keeper.check('pod:u1', HOME)).ok, false);
    state.pod = undefined;
    assert.equal((await keeper.check('pod:u1', HOME)).ok, false);
    state.pod = POD;
    assert.equal((await keeper.check('pod:u1', HOME)).ok, true);
    assert.equal(state.asked.length, 5);
  });

  test('no more pods are remembered than have room: the one that was asked for longest ago goes first', async (context) => {
    const { keeper, state } = await kept(context, 4_097);
    for (let index = 1; index <= 4_097; index += 1) {
      state.pod = { ...POD, uid: `u${index}` };
      // oxlint-disable-next-line no-await-in-loop -- in this order
      await keeper.check(`pod:u${index}`, HOME);
    }
    await keeper.check('pod:u4097', HOME);
    await keeper.check('pod:u2', HOME);
    assert.equal(state.asked.length, 4_097);
    await keeper.check('pod:u1', HOME);
    assert.equal(state.asked.length, 4_098);
  });

  test('bearers that are no part of the cluster are not asked for', async (context) => {
    const { keeper, state } = await kept(context);
    for (const bearer of [undefined, 'workload:spiffe://example.org/a'])
      assert.deepEqual(await keeper.check(bearer, HOME), ok(undefined));
    assert.deepEqual(state.asked, []);
  });

  test('a wall clock that was set back proves nothing', async (context) => {
    const { keeper, state, store } = await kept(context);
    const provenMs = KNOWN.provenMs + DAY + 1;
    valueOf(store.write(({ database }) => putPod(database, { ...KNOWN, provenMs })));
    state.pod = 'away';
    const checked = await keeper.check('pod:u1', HOME);
    assert.equal(checked.ok ? 'ok' : checked.error.kind, 'proof_unavailable');
  });

  test('rows: stored, proven again, forgotten', async (context) => {
    const { store } = await kept(context);
    const read = () => valueOf(store.read((database) => podOf(database, 'u1')));
    assert.deepEqual(read(), { ...KNOWN, name: 'n1' });
    valueOf(store.write(({ database }) => putPod(database, { ...KNOWN, addresses: [], provenMs: 2_000_000_000_000 })));
    assert.deepEqual(read(), { ...KNOWN, name: 'n1', addresses: [], provenMs: 2_000_000_000_000 });
    valueOf(store.write(({ database }) => prunePods(database, 2_000_000_000_000)));
    assert.notEqual(read(), undefined);
    valueOf(store.write(({ database }) => prunePods(database, 2_000_000_000_001)));
    assert.equal(read(), undefined);
  });
});
