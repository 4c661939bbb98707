import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import { ok } from '../../../src/core/kernel/result.ts';
import type { TrustDocument } from '../../../src/core/model/svid.ts';
import { openAuthorityStore } from '../../../src/io/authority/authority-store.ts';
import { initAuthority } from '../../../src/io/authority/ca-setup.ts';
import { createJoinToken } from '../../../src/io/authority/join-token.ts';
import { plainKeyFiles } from '../../../src/io/authority/key-files.ts';
import { createIssuingLimits, DEFAULT_ISSUING_RATES } from '../../../src/io/authority/rate-limit-issuing.ts';
import { revoke } from '../../../src/io/authority/revoking.ts';
import { activateRoot, prepareRoot, retireRoot } from '../../../src/io/authority/root-rotation.ts';
import { createIssuingAuthority } from '../../../src/io/authority/running-authority.ts';
import { createApiServer } from '../../../src/io/authority/api-server.ts';
import { createServiceAccountJudge } from '../../../src/io/authority/service-account-judge.ts';
import { createTokenReviewer } from '../../../src/io/authority/token-review.ts';
import { createAuthorityClient, type AuthorityClient } from '../../../src/io/enrolment/authority-client.ts';
import { AGENT, DAY, DOMAIN, HOUR, OWN_ID, valueOf } from '../../support/authority-world.ts';
import { startFakeApiServer } from '../../support/fake-api-server.ts';
import { freshCsr, postSvid, realTimer, serveAuthority } from '../../support/served-authority.ts';
import { systemClock, systemRandom } from '../../support/system-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

/*
 * The service with the authority that it is for: state in SQL, real clock (OpenSSL looks at no other), the real client. Another handle on the database is
 * what the command line would be.
 */
const ISSUING = { ttlMs: 365 * DAY, key: { kind: 'new', keyKind: 'p256' } } as const;
const ROOT = { ttlMs: 3_650 * DAY, keyKind: 'p256' } as const;
const PLENTY = { perSecond: 1_000, burst: 10_000 };

type Record_ = { readonly event: string; readonly sallyport: Readonly<Record<string, string>> };

async function world(
  context: TestContext,
  options: { readonly idBurst?: number; readonly leafTtlMs?: number; readonly crlTtlMs?: number } = {},
) {
  const folder = join(await tempFolder(context), 'ca');
  await mkdir(folder, { mode: 0o700 });
  const store = openAuthorityStore(folder, { busyMs: 2_000 });
  context.after(() => store.close());
  const deps = { clock: systemClock, random: systemRandom, openKey: plainKeyFiles(folder) };
  valueOf(await initAuthority(store, { trustDomain: DOMAIN, root: ROOT, issuing: ISSUING }, deps));
  const template = 'spiffe://example.org/ns/{namespace}/sa/{serviceAccount}';
  const kubernetes = { template, namespaces: { agents: ['researcher'] } };
  const id = options.idBurst === undefined ? PLENTY : { perSecond: 0.01, burst: options.idBurst };
  const authority = createIssuingAuthority(
    {
      folder,
      trustDomain: DOMAIN,
      ownId: OWN_ID,
      kubernetes,
      workloads: [],
      leafTtlMs: options.leafTtlMs,
      crlTtlMs: options.crlTtlMs,
    },
    {
      clock: systemClock,
      random: systemRandom,
      timer: realTimer,
      limits: createIssuingLimits({ ...DEFAULT_ISSUING_RATES, id }, systemClock),
    },
  );
  context.after(() => authority.stop());
  await authority.start();
  const api = await startFakeApiServer(context);
  const apiServer = createApiServer(
    { url: api.url, tokenFile: 'token', caFile: 'ca' },
    {
      readFile: (path) => {
        return Promise.resolve(ok({ bytes: Buffer.from(path === 'ca' ? api.caPem : api.clientToken), mode: 0o600 }));
      },
      timer: realTimer,
    },
  );
  context.after(() => apiServer.stop());
  const reviewer = createServiceAccountJudge(createTokenReviewer('sallyport', apiServer), undefined);
  const limits = { strangers: PLENTY, members: PLENTY, reads: PLENTY };
  const served = await serveAuthority(context, authority, { reviewer, limits });

  function client(token: string, method: 'join-token' | 'kubernetes' = 'join-token'): AuthorityClient {
    const made = createAuthorityClient(
      { url: served.url, id: OWN_ID, method, token: 'token' },
      {
        readFile: () => Promise.resolve(ok({ bytes: Buffer.from(token), mode: 0o600 })),
        clock: systemClock,
        timer: realTimer,
      },
    );
    context.after(() => made.stop());
    made.trustRoots(authority.trust().bundles.get(DOMAIN) ?? []);
    return made;
  }

  /** Records of what was issued and refused, without those of the authority's own certificate, once there are `count`. */
  async function records(count: number): Promise<readonly Record_['sallyport'][]> {
    return until(`${count} records`, async () => {
      const text = await readFile(join(folder, 'issuance.jsonl'), 'utf8').catch(() => '');
      const lines = text.split('\n').filter((line) => line !== '');
      const all = lines.map((line) => JSON.parse(line) as Record_);
      const calls = all.filter(
        ({ event, sallyport }) => /^(issued|refused)$/.test(event) && sallyport['method'] !== 'own',
      );
      const shown = calls.map(({ event, sallyport }) => ({ event, ...sallyport }));
      return shown.length >= count && shown;
    });
  }

  const token = (spiffeId: string = AGENT, ttlMs = HOUR): string =>
    valueOf(createJoinToken(store, { spiffeId, ttlMs }, deps)).token;
  return { ...served, authority, store, deps, api, client, token, records };
}

/** Enrols, and gives what a sidecar would hold. */
async function enrolled(client: AuthorityClient): Promise<{
  readonly chain: readonly Uint8Array[];
  readonly privateKey: KeyObject;
  readonly trust: TrustDocument;
}> {
  const { csr, privateKey } = await freshCsr();
  const { chain, trust } = valueOf(await client.enrol(csr));
  return { chain, privateKey, trust };
}

function verdict(chain: readonly Uint8Array[], { bundles, crls }: TrustDocument): string {
  const trust = valueOf(createTrustStore(bundles, crls));
  const peer = verifyPeer(chain, trust, Date.now(), { purpose: 'server', requireCrl: true });
  return peer.kind === 'identified' ? peer.spiffeId : peer.fault.code;
}

describe('the service and its store', () => {
  test('enrolment and renewal: what peers accept, lists required, with one record each', async (context) => {
    const { client, token, records } = await world(context);
    const agent = client(token());
    const first = await enrolled(agent);
    assert.equal(verdict(first.chain, first.trust), AGENT);
    const { csr } = await freshCsr();
    const renewed = valueOf(await agent.renew(csr, first));
    assert.equal(verdict(renewed.chain, renewed.trust), AGENT);
    const [one, two, ...more] = await records(2);
    assert.deepEqual(more, []);
    assert.deepEqual([one?.['event'], one?.['method'], one?.['source']], ['issued', 'join-token', '127.0.0.1']);
    assert.deepEqual([two?.['event'], two?.['method'], two?.['spiffe_id']], ['issued', 'certificate', AGENT]);
    assert.equal(two?.['renews'], one?.['serial']);
  });

  test('two redemptions of one token at once: exactly one succeeds, and the other is on record', async (context) => {
    const { client, token, records } = await world(context);
    const text = token();
    const [one, two] = [client(text), client(text)];
    const csrs = await Promise.all([freshCsr(), freshCsr()]);
    const answers = await Promise.all([one.enrol(csrs[0].csr), two.enrol(csrs[1].csr)]);
    assert.equal(answers.filter((answer) => answer.ok).length, 1);
    assert.ok(answers.some((answer) => !answer.ok && answer.error.kind === 'refused'));
    const all = await records(2);
    assert.deepEqual(all.map((record) => record['event'] ?? '').sort(), ['issued', 'refused']);
    assert.equal(all.find((record) => record['event'] === 'refused')?.['fault'], 'caller_refused');
    assert.ok(!JSON.stringify(all).includes(text));
  });

  test('a revoked certificate does not renew from that moment on, and who waits hears of it', async (context) => {
    const { client, token, store, deps, lines, service } = await world(context);
    const agent = client(token());
    const mine = await enrolled(agent);
    const news = agent.trust(mine.trust.revision, 30_000);
    await until('the long poll', () => service.figures().waiting === 1);
    valueOf(revoke(store, { which: { spiffeId: AGENT }, reason: 'test', bar: false }, deps));
    const { csr } = await freshCsr();
    const answer = await agent.renew(csr, mine);
    assert.equal(!answer.ok && answer.error.kind, 'refused');
    assert.equal(lines.at(-1)?.['reason'], 'certificate_refused');
    const trust = valueOf(await news);
    assert.ok(trust !== 'unchanged');
    assert.equal(verdict(mine.chain, trust), 'peer_certificate_revoked');
  });

  test('a service account: its ID, and its pod on record; the same token again is another certificate', async (context) => {
    const { client, api, records } = await world(context);
    const pod = { name: 'researcher-1', uid: '7f3c' };
    api.tokens.set('jwt', { audiences: ['sallyport'], namespace: 'agents', serviceAccount: 'researcher', pod });
    api.tokens.set('foreign', { audiences: ['sallyport'], namespace: 'agents', serviceAccount: 'default', pod });
    const agent = client('jwt', 'kubernetes');
    const [first, second] = [await enrolled(agent), await enrolled(agent)];
    assert.equal(verdict(first.chain, first.trust), AGENT);
    assert.notDeepEqual(first.chain[0], second.chain[0]);
    const { csr } = await freshCsr();
    const other = await client('foreign', 'kubernetes').enrol(csr);
    assert.equal(!other.ok && other.error.kind, 'refused');
    const all = await records(3);
    assert.deepEqual(
      all.map((record) => record['event']),
      ['issued', 'issued', 'refused'],
    );
    for (const record of all) assert.ok(JSON.stringify(record).includes(pod.uid), JSON.stringify(record));
  });

  test('one ID too often: 429, and a record that says so', async (context) => {
    const { client, token, records } = await world(context, { idBurst: 1 });
    const agent = client(token());
    const mine = await enrolled(agent);
    const { csr } = await freshCsr();
    const answer = await agent.renew(csr, mine);
    assert.deepEqual([answer.ok, !answer.ok && answer.error.kind], [false, 'unavailable']);
    assert.equal(!answer.ok && answer.error.retryAfterMs, 5_000);
    assert.equal((await records(2))[1]?.['fault'], 'rate_limited');
  });

  test('every refusal is the same on the wire, and its reason is on record', async (context) => {
    const { token, port, records, store, deps } = await world(context);
    const { base64, csr } = await freshCsr();
    const forged = Uint8Array.from(csr, (byte, at) => (at === csr.length - 1 ? byte ^ 1 : byte));
    const open = token();
    const voided = 'spiffe://example.org/void' as SpiffeId;
    const ended = token(voided);
    revoke(store, { which: { spiffeId: voided }, reason: 'test', bar: true }, deps);
    const rows: readonly (readonly [string, string, string])[] = [
      ['MAA=', open, 'csr_malformed'],
      [forged.toBase64(), open, 'csr_signature_invalid'],
      [base64, 'sp1_unknown', 'caller_refused'],
      [base64, ended, 'caller_refused'],
    ];
    const bodies = new Set<string>();
    for (const [request, text] of rows) {
      const answer = await postSvid(port, { csr: request, method: 'join-token', token: text });
      assert.equal(answer.status, 403);
      bodies.add(answer.body.toString());
    }
    assert.equal(bodies.size, 1);
    const all = await records(rows.length);
    assert.deepEqual(
      all.map((record) => record['fault']),
      rows.map(([, , fault]) => fault),
    );
    // None of that has used the token up.
    assert.equal((await postSvid(port, { csr: base64, method: 'join-token', token: open })).status, 200);
  });

  test('a root is added, used and the first removed: nobody is refused in between', async (context) => {
    const { client, token, store, deps, authority } = await world(context, { leafTtlMs: 4_000, crlTtlMs: 4_000 });
    const agent = client(token());
    let current = await enrolled(agent);
    /** What a sidecar does, with nothing refused, until something is there. */
    const live = (what: string, isThere: () => boolean | Promise<boolean>): Promise<boolean> =>
      until(what, async () => {
        const trust = valueOf(await agent.trust(undefined, 0));
        assert.ok(trust !== 'unchanged');
        agent.trustRoots(trust.bundles.get(DOMAIN) ?? []);
        const { csr, privateKey } = await freshCsr();
        const renewed = valueOf(await agent.renew(csr, current));
        assert.equal(verdict(renewed.chain, renewed.trust), AGENT);
        current = { ...renewed, privateKey };
        return isThere();
      });
    valueOf(await prepareRoot(store, ROOT, deps));
    await live('two roots', () => rootsOf(authority.trust()) === 2);
    const before = authority.own().svid.serial;
    valueOf(await activateRoot(store, { issuing: ISSUING, overlapMs: 0 }, deps));
    await live('a certificate under the new root', () => authority.own().svid.serial !== before);
    await live('the first root to be free', async () => (await retireRoot(store, RETIRE, deps)).ok);
    await live('one root', () => rootsOf(authority.trust()) === 1);
  });
});

const RETIRE = { state: 'retiring', force: false } as const;

function rootsOf(trust: TrustDocument): number {
  return trust.bundles.get(DOMAIN)?.length ?? 0;
}
