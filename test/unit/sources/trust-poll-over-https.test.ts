import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';

import { judgeBundleEndpoint } from '../../../src/core/identity/bundle-endpoint.ts';
import { formatSpiffeBundle } from '../../../src/core/identity/spiffe-bundle.ts';
import { createTrustPoll, type TrustPollSettings } from '../../../src/io/sources/trust-poll-source.ts';
import { readBounded } from '../../../src/io/sources/read-file.ts';
import { createTrustFetcher } from '../../../src/io/trust/fetcher.ts';
import { createAuthority, type Authority } from '../../support/pki.ts';
import { createManualTimer } from '../../support/manual-timer.ts';
import { systemClock } from '../../support/system-clock.ts';
import { TrustServer } from '../../support/trust-server.ts';

import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { Source } from '../../../src/io/sources/follower.ts';
import type { IdentityPart } from '../../../src/io/sources/identity-part.ts';
import type { TrustAddress } from '../../../src/io/trust/settings.ts';

const trustDomain = 'example.org' as TrustDomain;
const id = 'spiffe://example.org/bundle-server' as SpiffeId;

/** The two rooms joined as an application joins them; nothing is asked but by `reload`. */
function joined(
  context: TestContext,
  settings: TrustPollSettings,
  address: (poll: () => Source<IdentityPart>) => TrustAddress,
  issuers: readonly Uint8Array[] = [],
): Source<IdentityPart> {
  const { timer } = createManualTimer();
  const fetcher = createTrustFetcher({ ...address(() => poll), timeoutMs: 60_000 }, { readFile: readBounded, timer });
  const poll: Source<IdentityPart> = createTrustPoll(settings, {
    fetcher,
    clock: systemClock,
    random: randomBytes,
    timer,
    issuers: () => issuers,
    onChange: () => undefined,
    onProblem: () => undefined,
  });
  context.after(() => poll.stop());
  return poll;
}

const serve = (server: TrustServer, sequence: number, ...roots: readonly Authority[]): void =>
  server.offer(
    '/bundle',
    formatSpiffeBundle(
      roots.flatMap(({ bundle }) => bundle),
      { sequence, refreshHintSeconds: 60 },
    ),
    { etag: `"${sequence}"` },
  );

describe('SPIFFE Federation 5.2.2.2: an endpoint that serves the bundle it is proven by', () => {
  const [first, second, stranger] = [createAuthority(), createAuthority(), createAuthority()];

  test('roots rotate with overlap, and the newest bundle proves the endpoint each time', async (context) => {
    const servers = await Promise.all(
      [first, second, stranger].map((root) => new TrustServer(root.issue({ id })).start(context)),
    );
    const [one, two, three] = servers as [TrustServer, TrustServer, TrustServer];
    const poll = joined(
      context,
      { kind: 'federation', url: one.url('/bundle'), trustDomain, first: first.bundle },
      (self) => ({
        kind: 'https_spiffe',
        url: one.url('/bundle'),
        judge: (chain) =>
          judgeBundleEndpoint(
            chain,
            { id, trustDomain, bundle: self().current?.bundles.get(trustDomain) ?? [] },
            Date.now(),
          ),
      }),
    );
    const roots = (): number | undefined => poll.current?.bundles.get(trustDomain)?.length;
    // One address, behind which the certificate changes: the first server sends on to the newest.
    const moveTo = (next: TrustServer): void => one.status('/bundle', 307, { location: next.url('/bundle') });
    serve(one, 1, first);
    await poll.start();
    assert.deepEqual([poll.problem, roots()], [undefined, 1]);
    serve(two, 2, first, second);
    moveTo(two);
    await poll.reload();
    assert.match(poll.problem?.[0] ?? '', /is not the configured endpoint/, 'the second root is not known yet');
    serve(one, 2, first, second);
    await poll.reload();
    assert.deepEqual([poll.problem, roots()], [undefined, 2]);
    moveTo(two);
    await poll.reload();
    assert.deepEqual([poll.problem, roots()], [undefined, 2]);
    serve(three, 3, stranger);
    moveTo(three);
    await poll.reload();
    assert.match(poll.problem?.[0] ?? '', /is not the configured endpoint/);
    assert.equal(roots(), 2);
    assert.deepEqual(three.received, []);
  });
});

describe('a long list', () => {
  test('of a hundred thousand entries comes over plain HTTP, is judged and in force; the time is printed', async (context) => {
    const root = createAuthority();
    const server = await new TrustServer(undefined).start(context);
    const revoked = Array.from({ length: 100_000 }, (_, index) => (1n << 150n) + BigInt(index) * 7919n);
    const list = root.crl({ revoked }).der;
    server.offer('/list', list, { etag: '"1"' });
    const url = server.url('/list');
    const poll = joined(
      context,
      { kind: 'revocation-list', url },
      () => ({ kind: 'revocation-list', url }),
      root.bundle,
    );
    const start = performance.now();
    await poll.start();
    context.diagnostic(`${list.length} bytes in ${(performance.now() - start).toFixed(0)} ms, the way included`);
    assert.equal(poll.problem, undefined);
    assert.deepEqual(
      poll.current?.crls.map((der) => Buffer.compare(der, list)),
      [0],
    );
  });

  test('beyond 8 MiB is refused by name, and the shorter one before it stays', async (context) => {
    const root = createAuthority();
    const server = await new TrustServer(undefined).start(context);
    const list = root.crl().der;
    server.offer('/list', list);
    const url = server.url('/list');
    const poll = joined(
      context,
      { kind: 'revocation-list', url },
      () => ({ kind: 'revocation-list', url }),
      root.bundle,
    );
    await poll.start();
    server.offer('/list', Buffer.concat([list.subarray(0, 1), Buffer.alloc(8 * 1024 * 1024)]));
    await poll.reload();
    assert.match(poll.problem?.[0] ?? '', /revocation list: over 8388608 bytes/);
    assert.deepEqual(
      poll.current?.crls.map((der) => Buffer.compare(der, list)),
      [0],
    );
  });
});
