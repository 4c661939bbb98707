import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createIdentityAssembly } from '../../../src/io/sources/identity-assembly.ts';
import { createWorkloadPart } from '../../../src/io/sources/workload-part.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { createAuthority } from '../../support/pki.ts';

import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { Source } from '../../../src/io/sources/follower.ts';
import type { CreateWorkloadApiClient, IdentityPart, WorkloadUpdate } from '../../../src/io/sources/identity-part.ts';
import type { IdentitySnapshot } from '../../../src/io/sources/identity-snapshot.ts';
import type { Problems } from '../../../src/io/sources/problem.ts';
import type { Authority, Issued } from '../../support/pki.ts';

type Watch = Parameters<CreateWorkloadApiClient>[0];

const NOW = Date.now();
const home = createAuthority();
const partner = createAuthority({ trustDomain: 'partner.example' });
const agent = home.issue({ id: 'spiffe://example.org/agent' });
const other = home.issue({ id: 'spiffe://example.org/other' });

function svidOf(leaf: Issued, id: string, authority: Authority = home): WorkloadUpdate['svids'][number] {
  return {
    spiffeId: id as SpiffeId,
    chain: leaf.chain,
    privateKey: leaf.privateKey,
    bundle: authority.bundle,
    hint: '',
  };
}

const AGENT = svidOf(agent, 'spiffe://example.org/agent');
const OTHER = svidOf(other, 'spiffe://example.org/other');

function updateOf(change: Partial<WorkloadUpdate> = {}): WorkloadUpdate {
  return { svids: [AGENT], crls: [], federated: new Map(), ...change };
}

function federation(...authorities: readonly Authority[]): WorkloadUpdate['federated'] {
  return new Map(authorities.map(({ trustDomain, bundle }) => [trustDomain as TrustDomain, bundle]));
}

/** A part behind an assembly, which is not started yet. */
function world(id?: string) {
  const clock = createDrivenClock(NOW);
  const changes: IdentityPart[] = [];
  const told: (Problems | undefined)[] = [];
  const lost: string[] = [];
  const calls: string[] = [];
  let watch: Watch | undefined;
  const source = createIdentityAssembly(
    [
      {
        name: 'workload-api',
        required: true,
        create: ({ onChange, onProblem }) =>
          createWorkloadPart(
            { id: id as SpiffeId | undefined },
            {
              client: (given) => {
                watch = given;
                return {
                  start: () => calls.push('start'),
                  reload: () => calls.push('reload'),
                  stop: () => {
                    calls.push('stop');
                    return Promise.resolve();
                  },
                };
              },
              clock,
              timer: clock.timer,
              onChange: (part) => {
                changes.push(part);
                onChange(part);
              },
              onProblem: (problem) => {
                told.push(problem);
                onProblem(problem);
              },
            },
          ),
      },
    ],
    { clock, timer: clock.timer, onLost: (reason) => lost.push(reason) },
  );
  const server: Watch = { onUpdate: (update) => watch?.onUpdate(update), onProblem: (text) => watch?.onProblem(text) };
  return { source, clock, changes, told, lost, calls, server };
}

/** The same, after a first message. */
async function started(id?: string, update = updateOf()) {
  const all = world(id);
  const start = all.source.start();
  all.server.onUpdate(update);
  await start;
  return all;
}

function pathOf({ current }: Source<IdentitySnapshot>): string | undefined {
  return current?.own.path;
}

test('the first message is our identity: certificate, key, own bundle, federated bundles, lists', async () => {
  const update = updateOf({ federated: federation(partner), crls: [home.crl().der] });
  const { source, changes, told } = await started(undefined, update);
  assert.equal(pathOf(source), '/agent');
  assert.deepEqual([...(source.current?.trust.anchors.keys() ?? [])], ['example.org', 'partner.example']);
  assert.equal(source.current?.trust.crls.length, 1);
  assert.equal(changes.length, 1);
  assert.deepEqual(told, []);
});

test('SPIFFE_Workload_API 5.2.1: the first identity is the default; a configured one is chosen among several', async () => {
  const both = updateOf({ svids: [AGENT, OTHER] });
  assert.equal(pathOf((await started(undefined, both)).source), '/agent');
  assert.equal(pathOf((await started('spiffe://example.org/other', both)).source), '/other');
});

test('SPIFFE_Workload_API 5.2.1: each message is the whole state: a bundle or list that is gone is believed no more', async () => {
  const { source, server, changes } = await started(
    undefined,
    updateOf({ federated: federation(partner), crls: [home.crl().der] }),
  );
  server.onUpdate(updateOf());
  assert.equal(source.current?.trust.anchors.has('partner.example' as TrustDomain), false);
  assert.equal(source.current?.trust.crls.length, 0);
  assert.equal(changes.length, 2);
});

test('a message that says the same again changes nothing, in whatever order its bundles come', async () => {
  const third = createAuthority({ trustDomain: 'third.example' });
  const { server, changes } = await started(undefined, updateOf({ federated: federation(partner, third) }));
  server.onUpdate(updateOf({ federated: federation(third, partner) }));
  assert.equal(changes.length, 1);
});

for (const { when, id, update, problem } of [
  {
    when: 'a message without identities',
    id: undefined,
    update: updateOf({ svids: [] }),
    problem: 'workload-api: the Workload API has no identity for us any more',
  },
  {
    when: 'a message without the configured identity',
    id: 'spiffe://example.org/agent',
    update: updateOf({ svids: [OTHER] }),
    problem:
      'workload-api: the Workload API has no identity spiffe://example.org/agent for us; it has spiffe://example.org/other',
  },
]) {
  test(`${when} withdraws ours: it ends at once, everything is refused, until it is given again`, async () => {
    const { source, server, lost, changes } = await started(id);
    server.onUpdate(update);
    assert.equal(source.current, undefined);
    assert.deepEqual(lost, ['our certificate was withdrawn']);
    assert.deepEqual(source.problem, [problem, 'our certificate was withdrawn']);
    server.onUpdate(update);
    assert.equal(changes.length, 2);
    server.onUpdate(updateOf());
    assert.equal(pathOf(source), '/agent');
    assert.equal(source.problem, undefined);
    assert.equal(changes.length, 3);
  });
}

test('an identity that was never given is not withdrawn: there is none', async () => {
  const { source, lost, changes } = await started('spiffe://example.org/nobody');
  assert.equal(source.current, undefined);
  assert.deepEqual([lost.length, changes.length], [0, 0]);
  assert.match(source.problem?.[0] ?? '', /has no identity spiffe:\/\/example\.org\/nobody for us/);
});

const BAD: readonly { readonly lie: string; readonly update: WorkloadUpdate; readonly tells: RegExp }[] = [
  {
    lie: 'a key of another certificate',
    update: updateOf({ svids: [{ ...AGENT, privateKey: other.privateKey }] }),
    tells: /the private key is not that of the certificate$/,
  },
  {
    lie: 'another ID than in the certificate',
    update: updateOf({ svids: [svidOf(other, 'spiffe://example.org/agent')] }),
    tells:
      /the certificate is for spiffe:\/\/example\.org\/other, and the message says spiffe:\/\/example\.org\/agent$/,
  },
  {
    lie: 'a bundle that does not verify the certificate',
    update: updateOf({ svids: [{ ...AGENT, bundle: createAuthority().bundle }] }),
    tells: /the trust bundle of example\.org does not verify the certificate/,
  },
  {
    lie: 'a certificate of another trust domain than the ID says',
    update: updateOf({ svids: [svidOf(partner.issue(), 'spiffe://example.org/agent', partner)] }),
    tells: /(?:issuer: a SPIFFE ID of partner|trust bundle of example\.org, certificate 1)/,
  },
  {
    lie: 'a certificate that expired',
    update: updateOf({
      svids: [svidOf(home.issue({ notAfter: new Date(NOW - 5_000) }), 'spiffe://example.org/agent')],
    }),
    tells: /certificate 1: expired at/,
  },
  { lie: 'a list that cannot be read', update: updateOf({ crls: [Buffer.from('x')] }), tells: /revocation list 1: / },
  {
    lie: 'a federated bundle that is none',
    update: updateOf({ federated: new Map([['partner.example' as TrustDomain, [agent.der]]]) }),
    tells: /trust bundle of partner\.example, certificate 1: /,
  },
];

for (const { lie, update, tells } of BAD) {
  test(`promise 7: ${lie}: the message is refused whole and by name, the last good stays until its end, never beyond`, async () => {
    const { source, server, changes, clock, lost } = await started();
    const before = source.current;
    server.onUpdate(update);
    assert.equal(source.problem?.length, 1);
    assert.match(source.problem[0] ?? '', tells);
    assert.match(source.problem[0] ?? '', /^workload-api: /);
    assert.equal(source.current, before);
    assert.equal(changes.length, 1);
    clock.advance(agent.notAfter.getTime() - NOW + 2_000);
    assert.equal(pathOf(source), undefined);
    assert.equal(lost.length, 1);
  });
}

test('a server that cannot be reached leaves the last good in force, and is told until it is back', async () => {
  const { source, server, told } = await started();
  server.onProblem('unix:///run/x.sock: connection refused');
  assert.equal(pathOf(source), '/agent');
  assert.deepEqual(source.problem, ['workload-api: unix:///run/x.sock: connection refused']);
  server.onProblem(undefined);
  assert.equal(source.problem, undefined);
  assert.equal(told.length, 2);
});

test('a start ends with the first word of the server, good or bad, and after half a minute without one', async () => {
  const bad = world();
  const first = bad.source.start();
  bad.server.onProblem('permission denied');
  await first;
  assert.deepEqual(bad.source.problem, ['workload-api: permission denied', 'workload-api has brought nothing yet']);
  const silent = world();
  const second = silent.source.start();
  silent.clock.advance(30_000);
  await second;
  assert.equal(silent.source.current, undefined);
  silent.server.onUpdate(updateOf());
  assert.equal(pathOf(silent.source), '/agent');
});

test('reload asks anew; stop ends the stream, a start that waits, and all news', async () => {
  const { source, server, calls, changes } = await started();
  await source.reload();
  source.stop();
  server.onUpdate(updateOf({ svids: [OTHER] }));
  server.onProblem('late');
  assert.deepEqual(calls, ['start', 'reload', 'stop']);
  assert.equal(changes.length, 1);
  const waiting = world();
  const start = waiting.source.start();
  waiting.source.stop();
  await start;
});
