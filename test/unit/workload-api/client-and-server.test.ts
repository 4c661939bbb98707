import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { ok } from '../../../src/core/kernel/result.ts';
import { createWorkloadApiClient, createWorkloadBundlesClient } from '../../../src/io/workload-api/client.ts';
import { createWorkloadApiServer } from '../../../src/io/workload-api/server.ts';
import { createAuthority } from '../../support/pki.ts';
import { systemClock, systemRandom } from '../../support/system-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { BundlesUpdate, WorkloadUpdate } from '../../../src/io/workload-api/read-update.ts';
import type { WatchDeps } from '../../../src/io/workload-api/watch.ts';

const ID = 'spiffe://example.org/agent' as SpiffeId;

function listener<T>() {
  const updates: T[] = [];
  const problems: (string | undefined)[] = [];
  const deps: WatchDeps<T> = {
    clock: systemClock,
    random: systemRandom,
    onUpdate: (update) => updates.push(update),
    onProblem: (problem) => problems.push(problem),
  };
  return { updates, problems, deps };
}

test('our client takes what our server serves: identity, two domains, a list, a change of trust, and the end', async (context) => {
  const path = join(await tempFolder(context), 'api.sock');
  const root = createAuthority();
  const issuing = root.intermediate();
  const foreign = createAuthority({ trustDomain: 'other.org' });
  let identities = [{ spiffeId: ID, hint: 'agent' }];
  let roots = root.bundle;
  let revision = 0;
  const listeners = new Set<() => void>();
  const tell = (): void => listeners.forEach((listen) => listen());
  const server = createWorkloadApiServer(
    { path },
    {
      clock: systemClock,
      random: systemRandom,
      onProblem: (problem) => assert.fail(problem),
      issuer: {
        identities: () => identities,
        svid: (id) => {
          const { chain, privateKey, notAfter } = issuing.issue({ id });
          return Promise.resolve(ok({ chain, privateKey, notAfterMs: notAfter.getTime() }));
        },
        trust: () => ({
          revision: String(revision),
          bundles: new Map([
            ['example.org' as TrustDomain, roots],
            ['other.org' as TrustDomain, foreign.bundle],
          ]),
          crls: [root.crl().der],
          refreshHintMs: undefined,
        }),
        onTrust: (listen) => {
          listeners.add(listen);
          return () => listeners.delete(listen);
        },
      },
    },
  );
  await server.start();
  context.after(() => server.stop(100));
  const svids = listener<WorkloadUpdate>();
  const bundles = listener<BundlesUpdate>();
  const clients = [
    createWorkloadApiClient({ socket: `unix://${path}` }, svids.deps),
    createWorkloadBundlesClient({ socket: `unix://${path}` }, bundles.deps),
  ];
  context.after(() => Promise.all(clients.map((client) => client.stop())));
  clients.forEach((client) => client.start());
  const [first, trust] = await until(
    'both',
    () => svids.updates[0] && bundles.updates[0] && ([svids.updates[0], bundles.updates[0]] as const),
  );
  assert.deepEqual(
    [
      first.svids.map(({ spiffeId, hint, chain }) => [spiffeId, hint, chain.length]),
      first.crls.length,
      [...first.federated.keys()],
    ],
    [[[ID, 'agent', 2]], 1, ['other.org']],
  );
  assert.deepEqual([[...trust.bundles.keys()], trust.crls.length], [['example.org', 'other.org'], 1]);

  roots = [...roots, ...createAuthority().bundle];
  revision += 1;
  tell();
  await until('the second root', () => svids.updates[1]?.svids[0]?.bundle.length === 2 && bundles.updates.length === 2);
  assert.deepEqual([svids.problems, bundles.problems], [[], []]);

  identities = [];
  revision += 1;
  tell();
  await until('the refusal', () => svids.problems.length === 1 && bundles.problems.length === 1);
  assert.match(
    `${svids.problems[0]} ${bundles.problems[0]}`,
    /PermissionDenied: no identity issued .*PermissionDenied/,
  );
  assert.equal(svids.updates.length, 2);
});
