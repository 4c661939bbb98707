import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { controlIdentity } from '../../../src/app/control-identity.ts';
import { createVerdictCache } from '../../../src/core/identity/verdict-cache.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import { fault } from '../../../src/core/model/faults.ts';
import { createControlClient, type Ask, type ControlClient } from '../../../src/io/control/client.ts';
import type { IdentitySnapshot } from '../../../src/io/sources/identity-source.ts';
import { readBounded } from '../../../src/io/sources/read-file.ts';
import { systemTimer } from '../../../src/io/sources/timer.ts';
import { createAuthority, type Authority, type Issued } from '../../support/pki.ts';
import { startSvidServer, type SvidServer } from '../../support/svid-server.ts';
import { until } from '../../support/until.ts';

const SERVER_ID = 'spiffe://example.org/ns/sallyport-system/sa/sallyport-injector';
const OWN_ID = 'spiffe://example.org/ns/agents/sa/planner';
const GET: Ask = { method: 'GET', headers: {}, maxBytes: 65_536 };

/** Who we are and whom we believe at one moment, as far as it matters here. */
function snapshotOf(own: Issued, authority: Authority, crls: readonly Uint8Array[] = []): IdentitySnapshot {
  const trust = createTrustStore(new Map([[authority.trustDomain as TrustDomain, authority.bundle]]), crls);
  assert.ok(trust.ok);
  return {
    own: { validUntilMs: own.notAfter.getTime() },
    trust: trust.value,
    certificateChain: own.chainPem,
    privateKey: own.keyPem,
    trustAnchors: [authority.bundlePem],
    revision: `${own.serial} ${trust.value.revision}`,
  } as unknown as IdentitySnapshot;
}

type World = {
  readonly authority: Authority;
  readonly server: SvidServer;
  readonly client: ControlClient;
  identity: IdentitySnapshot | undefined;
};

async function world(
  context: TestContext,
  served?: (authority: Authority) => Issued,
  peer = SERVER_ID,
): Promise<World> {
  const authority = createAuthority();
  const server = await startSvidServer(context, served?.(authority) ?? authority.issue({ id: SERVER_ID }), authority);
  const verdicts = createVerdictCache(8, { purpose: 'server', requireCrl: false });
  const self: { identity: IdentitySnapshot | undefined } = {
    identity: snapshotOf(authority.issue({ id: OWN_ID }), authority),
  };
  const identity = controlIdentity(
    () => self.identity,
    (chain) =>
      self.identity === undefined
        ? { kind: 'rejected', fault: fault('identity_unavailable', 'none'), claimedId: undefined }
        : verdicts.judge(chain, self.identity.trust, Date.now()),
  );
  const client = createControlClient(
    { url: server.url, peer, timeout: 30_000 },
    { readFile: readBounded, timer: systemTimer, identity },
  );
  context.after(() => client.stop());
  return Object.assign(self, { authority, server, client });
}

async function refusedWith(client: ControlClient): Promise<string> {
  const answer = await client.ask(GET);
  assert.ok(!answer.ok, 'it was answered');
  return answer.error.detail;
}

test('the server proves its ID, and is shown ours; the name of the host does not matter', async (context) => {
  const { client, server } = await world(context);
  const answer = await client.ask(GET);
  assert.ok(answer.ok, JSON.stringify(answer));
  assert.equal(Buffer.from(answer.value.body).toString(), 'content');
  assert.deepEqual(
    server.callers.map(({ uri }) => uri),
    [OWN_ID],
  );
});

test('another ID of the same trust domain gets no request', async (context) => {
  const { client, server } = await world(context, (authority) => authority.issue({ id: 'spiffe://example.org/other' }));
  assert.match(
    await refusedWith(client),
    /it is not the configured peer: the server is spiffe:\/\/example\.org\/other, expected is spiffe:\/\/example\.org\/ns\/sallyport-system/,
  );
  assert.equal(server.callers.length, 0);
});

test('the right ID of another authority, an expired one, one that may not be a server, and none: no request', async (context) => {
  const expired = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
  const cases: readonly (readonly [served: (authority: Authority) => Issued, why: RegExp])[] = [
    [() => createAuthority().issue({ id: SERVER_ID }), /not the configured peer: peer_\w+: /],
    [(authority) => authority.issue({ id: SERVER_ID, ...expired }), /peer_certificate_expired/],
    [(authority) => authority.issue({ id: SERVER_ID, extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] }), /peer_/],
    [(authority) => authority.issue({ uris: [], dnsNames: ['localhost'], subject: 'x' }), /peer_/],
  ];
  for (const [served, why] of cases) {
    // oxlint-disable-next-line no-await-in-loop -- one server after the other
    const { client, server } = await world(context, served);
    // oxlint-disable-next-line no-await-in-loop -- as above
    assert.match(await refusedWith(client), why);
    assert.equal(server.callers.length, 0);
  }
});

test('a trust domain that we have no bundle of proves nothing', async (context) => {
  const id = 'spiffe://elsewhere.org/policy';
  const { client } = await world(context, () => createAuthority({ trustDomain: 'elsewhere.org' }).issue({ id }), id);
  assert.match(await refusedWith(client), /it is not the configured peer: peer_/);
});

test('a server that was revoked is not asked again', async (context) => {
  const served: Issued[] = [];
  const self = await world(context, (authority) => {
    const issued = authority.issue({ id: SERVER_ID });
    served.push(issued);
    return issued;
  });
  assert.ok((await self.client.ask(GET)).ok);
  const { der } = self.authority.crl({ revoked: [served[0]?.serial ?? 0n] });
  self.identity = snapshotOf(self.authority.issue({ id: OWN_ID }), self.authority, [der]);
  assert.match(await refusedWith(self.client), /peer_certificate_revoked/);
  assert.equal(self.server.callers.length, 1);
});

test('an answer counts only where the server is still believed when it is whole', async (context) => {
  const served: Issued[] = [];
  const self = await world(context, (authority) => {
    const issued = authority.issue({ id: SERVER_ID });
    served.push(issued);
    return issued;
  });
  const asked = Promise.withResolvers<() => void>();
  self.server.answer = (_request, response) => asked.resolve(() => response.end('late'));
  const answer = self.client.ask(GET);
  const release = await asked.promise;
  const { der } = self.authority.crl({ revoked: [served[0]?.serial ?? 0n] });
  self.identity = snapshotOf(self.authority.issue({ id: OWN_ID }), self.authority, [der]);
  release();
  const given = await answer;
  assert.ok(!given.ok);
  assert.match(given.error.detail, /peer_certificate_revoked/);
});

test('each request is a connection of its own, with our certificate of that moment', async (context) => {
  const self = await world(context);
  assert.ok((await self.client.ask(GET)).ok && (await self.client.ask(GET)).ok);
  self.identity = snapshotOf(self.authority.issue({ id: OWN_ID }), self.authority);
  assert.ok((await self.client.ask(GET)).ok);
  const serials = self.server.callers.map(({ serial }) => serial);
  assert.equal(serials[0], serials[1]);
  assert.notEqual(serials[1], serials[2]);
  assert.equal(self.server.connections(), 3);
});

test('without an identity, or with one that has ended, nothing is connected to', async (context) => {
  const self = await world(context);
  self.identity = undefined;
  assert.match(await refusedWith(self.client), /no certificate of ours is loaded/);
  const past = { notBefore: new Date(0), notAfter: new Date(1_000) };
  self.identity = snapshotOf(self.authority.issue({ id: OWN_ID, ...past }), self.authority);
  assert.match(await refusedWith(self.client), /our certificate has expired/);
  assert.equal(self.server.connections(), 0);
});

test('where nobody joined an identity to the client, it says so', async (context) => {
  const { server } = await world(context);
  const settings = { url: server.url, peer: SERVER_ID, timeout: 1_000 };
  const client = createControlClient(settings, { readFile: readBounded, timer: systemTimer });
  context.after(() => client.stop());
  assert.match(await refusedWith(client), /no identity of ours/);
});

test('stopping ends a request that is held', async (context) => {
  const { client, server } = await world(context);
  server.answer = () => undefined;
  const held = client.ask(GET);
  await until('a request', () => server.callers.length === 1);
  await client.stop();
  const given = await held;
  assert.equal(!given.ok && given.error.kind, 'stopped');
});
