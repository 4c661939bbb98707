import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { encodePem } from '../../../src/core/identity/pem.ts';
import { ok } from '../../../src/core/kernel/result.ts';
import { openAuthorityStore } from '../../../src/io/authority/authority-store.ts';
import { initAuthority } from '../../../src/io/authority/ca-setup.ts';
import { createJoinToken } from '../../../src/io/authority/join-token.ts';
import { plainKeyFiles } from '../../../src/io/authority/key-files.ts';
import { revoke } from '../../../src/io/authority/revoking.ts';
import { activateRoot, prepareRoot, retireRoot } from '../../../src/io/authority/root-rotation.ts';
import { createIssuingAuthority } from '../../../src/io/authority/running-authority.ts';
import { createAuthorityClient } from '../../../src/io/enrolment/authority-client.ts';
import { createAuthorityPart } from '../../../src/io/sources/authority-part.ts';
import { createIdentityAssembly } from '../../../src/io/sources/identity-assembly.ts';
import { AGENT, DAY, DOMAIN, HOUR, NO_LIMITS, OWN_ID, valueOf } from '../../support/authority-world.ts';
import { realTimer, serveAuthority } from '../../support/served-authority.ts';
import { systemClock, systemRandom } from '../../support/system-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

import type { TestContext } from 'node:test';

const ISSUING = { ttlMs: 365 * DAY, key: { kind: 'new', keyKind: 'p256' } } as const;
const ROOT = { ttlMs: 3_650 * DAY, keyKind: 'p256' } as const;
const RETIRE = { state: 'retiring', force: false } as const;

/** The identity of a sidecar from the real authority, over its HTTPS service and the client for it; the real clock, since OpenSSL looks at no other. */
async function world(context: TestContext, leafTtlMs: number) {
  const folder = join(await tempFolder(context), 'ca');
  await mkdir(folder, { mode: 0o700 });
  const store = openAuthorityStore(folder, { busyMs: 2_000 });
  context.after(() => store.close());
  const deps = { clock: systemClock, random: systemRandom, openKey: plainKeyFiles(folder) };
  valueOf(await initAuthority(store, { trustDomain: DOMAIN, root: ROOT, issuing: ISSUING }, deps));
  const authority = createIssuingAuthority(
    { folder, trustDomain: DOMAIN, ownId: OWN_ID, kubernetes: undefined, workloads: [], leafTtlMs, crlTtlMs: 2_000 },
    { clock: systemClock, random: systemRandom, timer: realTimer, limits: NO_LIMITS },
  );
  context.after(() => authority.stop());
  await authority.start();
  const served = await serveAuthority(context, authority);
  const { token } = valueOf(createJoinToken(store, { spiffeId: AGENT, ttlMs: HOUR }, deps));
  const client = createAuthorityClient(
    { url: served.url, id: OWN_ID, method: 'join-token', token: 'token' },
    {
      readFile: () => Promise.resolve(ok({ bytes: Buffer.from(token), mode: 0o600 })),
      clock: systemClock,
      timer: realTimer,
    },
  );
  const trustBundle = join(folder, 'first-roots.pem');
  const roots = authority.trust().bundles.get(DOMAIN) ?? [];
  await writeFile(trustBundle, roots.map((der) => encodePem('CERTIFICATE', der)).join(''));
  const problems: string[] = [];
  const lost: string[] = [];
  const seen = new Set<string>();
  const source = createIdentityAssembly(
    [
      {
        name: 'authority',
        required: true,
        create: (watch) =>
          createAuthorityPart(
            { trustDomain: DOMAIN, trustBundle, method: 'join-token', token: 'token', keyType: 'p256' },
            { client, clock: systemClock, random: systemRandom, ...watch },
          ),
      },
    ],
    {
      clock: systemClock,
      trustDomain: DOMAIN,
      onChange: ({ own }) => seen.add(own.certificate.serial),
      onProblem: (problem) => problems.push(...(problem ?? [])),
      onLost: (reason) => lost.push(reason),
    },
  );
  context.after(() => source.stop());
  await source.start();
  return { authority, store, deps, source, problems, lost, seen };
}

test('certificates of seconds are renewed again and again, through two rotations of the root, without a problem and never without identity', async (context) => {
  const { authority, store, deps, source, problems, seen } = await world(context, 3_000);
  assert.equal(source.current?.own.spiffeId, AGENT);
  const rootsOf = (): number => source.current?.trust.anchors.get(DOMAIN)?.length ?? 0;
  const watch = setInterval(() => {
    if (source.current === undefined) problems.push('a moment without identity');
  }, 10);
  context.after(() => clearInterval(watch));
  const first = seen.size;
  for (let rotation = 1; rotation <= 2; rotation += 1) {
    const before = source.current?.trustAnchors[0];
    valueOf(await prepareRoot(store, ROOT, deps));
    await until('the second root in the sidecar', () => rootsOf() === 2);
    const own = authority.own().svid.serial;
    valueOf(await activateRoot(store, { issuing: ISSUING, overlapMs: 0 }, deps));
    await until('a certificate of the authority under it', () => authority.own().svid.serial !== own);
    await until('the first root to be free', async () => (await retireRoot(store, RETIRE, deps)).ok);
    await until('one root in the sidecar', () => rootsOf() === 1);
    assert.notEqual(source.current?.trustAnchors[0], before);
  }
  const renewed = seen.size;
  await until('one more renewal under the last root', () => seen.size > renewed);
  clearInterval(watch);
  assert.deepEqual(problems, []);
  assert.ok(seen.size >= first + 3);
});

test('a revocation by the authority arrives with the long poll: our own certificate ends, and is not renewed', async (context) => {
  const { store, deps, source, problems, lost } = await world(context, HOUR);
  valueOf(revoke(store, { which: { spiffeId: AGENT }, reason: 'test', bar: true }, deps));
  await until('the end of the identity', () => lost.length === 1);
  assert.match(lost[0] ?? '', /^our certificate was revoked: /);
  assert.equal(source.current, undefined);
  await until('the refusal', () =>
    problems.some((problem) => problem.startsWith('authority: renewal: the authority refused it')),
  );
});
