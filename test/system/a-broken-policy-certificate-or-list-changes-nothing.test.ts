import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { createAuthority, type Authority } from '../support/pki.ts';
import { connectHttp1, get, openWebSocket } from '../support/system-clients.ts';
import { CALLER_ID, OWN_ID, policyBundle, startSystem, type System } from '../support/system.ts';

const HOUR = 3_600_000;
const ALLOWS_CALLER = `package test.authz

default decision := false

decision if input.sallyport.peer.spiffe_id == "${CALLER_ID}"
`;

type Source = 'policy' | 'identity';
type Broken = readonly [
  title: string,
  source: Source,
  said: RegExp,
  break_: (system: System) => Promise<void>,
  mend: (system: System) => Promise<void>,
];

const ownAgain = async (system: System): Promise<void> => {
  await system.replace('own.key', system.own.keyPem);
  await system.replace('own.pem', system.own.chainPem);
};
const policyAgain = (system: System): Promise<void> => system.setPolicy({ rego: ALLOWS_CALLER, revision: 'good' });
const listsAgain = (system: System): Promise<void> => system.replace('lists.pem', goodList(system.authority));
const trustAgain = (system: System): Promise<void> => system.replace('trust.pem', system.authority.bundlePem);

function goodList(authority: Authority): string {
  return authority.crl({ number: 1n }).pem;
}

async function cutBundle(): Promise<Uint8Array> {
  const whole = await policyBundle(ALLOWS_CALLER);
  return whole.subarray(0, whole.length - 100);
}

const BROKEN: readonly Broken[] = [
  [
    'a bundle that is cut short',
    'policy',
    /policy\.tar\.gz/,
    async (system) => system.replace('policy.tar.gz', await cutBundle()),
    policyAgain,
  ],
  [
    'a bundle that is none',
    'policy',
    /policy\.tar\.gz/,
    (system) => system.replace('policy.tar.gz', 'no'),
    policyAgain,
  ],
  [
    'a bundle without the rule that is asked',
    'policy',
    /test\/authz\/decision/,
    (system) => system.setPolicy({ rego: 'package other\n\nanswer := true\n', decision: 'other/answer' }),
    policyAgain,
  ],
  ['a certificate that is none', 'identity', /own\.pem/, (system) => system.replace('own.pem', 'no'), ownAgain],
  [
    'a certificate of another key',
    'identity',
    /key/,
    (system) => system.replace('own.pem', system.authority.issue({ id: OWN_ID }).chainPem),
    ownAgain,
  ],
  [
    'a certificate that has expired',
    'identity',
    /expired|valid/,
    async (system) => {
      const expired = system.authority.issue({ id: OWN_ID, notAfter: new Date(Date.now() - HOUR / 2) });
      await system.replace('own.key', expired.keyPem);
      await system.replace('own.pem', expired.chainPem);
    },
    ownAgain,
  ],
  [
    'a certificate that is no SVID',
    'identity',
    /SAN|peer_id|URI/,
    async (system) => {
      const nameless = system.authority.issue({ uris: [], dnsNames: ['agent.test'] });
      await system.replace('own.key', nameless.keyPem);
      await system.replace('own.pem', nameless.chainPem);
    },
    ownAgain,
  ],
  [
    'a key that everybody can read',
    'identity',
    /chmod 600/,
    (system) => chmod(join(system.folder, 'own.key'), 0o644),
    ownAgain,
  ],
  ['a trust bundle that is empty', 'identity', /trust\.pem/, (system) => system.replace('trust.pem', ''), trustAgain],
  [
    'a revocation list with a broken signature',
    'identity',
    /revocation list 1: is not signed by/,
    (system) => system.replace('lists.pem', system.authority.crl({ number: 9n, breakSignature: true }).pem),
    listsAgain,
  ],
  [
    'a revocation list that is none',
    'identity',
    /lists\.pem/,
    (system) => system.replace('lists.pem', 'no'),
    listsAgain,
  ],
];

const problem = (system: System, source: Source): Promise<number | undefined> =>
  system.sidecar.metric(`sallyport_source_problem{kind="${source}"}`);

async function withstands(
  context: TestContext,
  system: System,
  [title, source, said, break_, mend]: Broken,
): Promise<void> {
  await context.test(title, { timeout: 40_000 }, async (context) => {
    const { sidecar } = system;
    const before = { log: sidecar.log.length, records: sidecar.records().length };
    const open = await openWebSocket(context, system);
    await break_(system);
    sidecar.signal('SIGHUP');
    await sidecar.until('the metric that says so', async () => (await problem(system, source)) === 1);
    const errors = sidecar.log.slice(before.log).filter(({ level }) => level >= 50);
    assert.ok(
      errors.some(({ msg }) => said.test(msg)),
      `the log says ${errors.map(({ msg }) => msg).join('; ')}`,
    );
    assert.equal(JSON.stringify(errors).includes('PRIVATE KEY'), false);

    const stranger = system.authority.issue({ id: 'spiffe://example.org/other' });
    assert.equal((await get(await connectHttp1(context, system), '/')).status, 200, 'the last good one goes on');
    assert.equal((await get(await connectHttp1(context, system, stranger), '/')).status, 403, 'for refusals too');
    open.send('more');
    assert.equal(await open.exactly(4), 'more', 'what was open stays open');
    assert.equal((await sidecar.admin('/healthz')).status, 200);

    await mend(system);
    sidecar.signal('SIGHUP');
    await sidecar.until('the metric to be good again', async () => (await problem(system, source)) === 0);
    await sidecar.logged('the source is good again', before.log);
    assert.equal((await get(await connectHttp1(context, system), '/')).status, 200);
    open.close();
    await sidecar.recordsFrom(before.records, 4);
  });
}

test(
  'what is broken is not put in force: the last good one goes on, and it is told',
  { timeout: 170_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const authority = createAuthority();
    const system = await startSystem(context, {
      authority,
      upstream: `auto://127.0.0.1:${upstream.port}`,
      policy: { rego: ALLOWS_CALLER, revision: 'good' },
      identity: { revocationLists: ['lists.pem'] },
      files: { 'lists.pem': goodList(authority) },
    });
    for (const broken of BROKEN) await withstands(context, system, broken);
    await context.test('a revocation list of a stranger is told of: it could be that of an intermediate', async () => {
      await system.replace('lists.pem', createAuthority({ subject: 'stranger' }).crl().pem);
      await system.sidecar.logged(/^the revocation list of CN=stranger counts for intermediates only/);
    });
    assert.equal(await system.sidecar.stop(), 0);
  },
);
