import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';

import { makeCrl } from '../../../src/core/issuance/crl.ts';
import { encodePem } from '../../../src/core/identity/pem.ts';
import { createWorkloadApiClient } from '../../../src/io/workload-api/client.ts';
import { createWorkloadApiServer } from '../../../src/io/workload-api/server.ts';
import { startEchoUpstream } from '../../support/echo-upstream.ts';
import { startSidecar, type RawConfig } from '../../support/sidecar-process.ts';
import { ALLOW_ALL, policyBundle } from '../../support/system.ts';
import { systemClock, systemRandom } from '../../support/system-clock.ts';
import { replaceFile, tempFolder, writeFiles } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { createIssuer, createSigner, issue, must } from './issuing.ts';
import { buildJudge, RunningJudge } from './judge.ts';

import type { CaSigner } from '../../../src/core/issuance/ca-signer.ts';
import type { WorkloadUpdate } from '../../../src/io/workload-api/read-update.ts';

const judge = await buildJudge();
const path = 'path' in judge ? judge.path : '';
const needsGo = { skip: 'missing' in judge ? judge.missing : false, timeout: 120_000 } as const;
after(() => ('remove' in judge ? judge.remove() : undefined));

const GO_ID = 'spiffe://example.org/go';
const SIDECAR_ID = 'spiffe://example.org/sidecar';
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** A Workload API of ours on a socket. */
async function serve(context: TestContext, ...ids: readonly string[]) {
  const signer = await createSigner('p256', true);
  const { issuer, change } = createIssuer(signer, ...ids);
  const file = join(await tempFolder(context), 'api.sock');
  const problems: string[] = [];
  const server = createWorkloadApiServer(
    { path: file },
    { issuer, clock: systemClock, random: systemRandom, onProblem: (problem) => problems.push(problem) },
  );
  await server.start();
  context.after(() => server.stop(1_000));
  return { socket: `unix://${file}`, signer, change, problems };
}

/** Our real process, with a certificate of the signer; `folder` holds its files. */
async function sidecar(context: TestContext, signer: CaSigner, config: RawConfig) {
  const folder = await tempFolder(context);
  const own = await issue(signer, SIDECAR_ID, 'p256');
  await writeFiles(folder, {
    'own.pem': own.chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
    'trust.pem': encodePem('CERTIFICATE', signer.root),
    'policy.tar.gz': await policyBundle(ALLOW_ALL),
  });
  await replaceFile(join(folder, 'own.key'), own.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return startSidecar(context, folder, {
    identity: { certificate: 'own.pem', privateKey: 'own.key', trustBundles: { 'example.org': 'trust.pem' } },
    policy: { bundle: 'policy.tar.gz', decision: 'test/authz/decision' },
    ...config,
  });
}

test(
  'go-spiffe takes our X509-SVIDs and bundles, every update, and the end of an identity',
  needsGo,
  async (context) => {
    const { socket, signer, change } = await serve(context, GO_ID, 'spiffe://example.org/second');
    const watch = new RunningJudge(context, path, 'watch', socket);
    const svidsOf = async (what: string, fits: (svids: readonly Record<string, unknown>[]) => boolean) => {
      const line = await watch.line(
        what,
        (one) => one['kind'] === 'svids' && fits(one['svids'] as Record<string, unknown>[]),
      );
      return line['svids'] as readonly Record<string, unknown>[];
    };
    const first = await svidsOf('the first update', () => true);
    assert.deepEqual(
      first.map(({ id, verifies, chain, key }) => ({ id, verifies, chain, key })),
      [GO_ID, 'spiffe://example.org/second'].map((id) => ({ id, verifies: true, chain: 2, key: 'ECDSA' })),
    );
    await watch.line(
      'bundles',
      ({ kind, bundles }) => kind === 'bundles' && JSON.stringify(bundles) === '{"example.org":1}',
    );

    const next = await createSigner('ed25519', true);
    change({ roots: [signer.root, next.root] });
    for (const stream of ['svids', 'bundles'])
      await watch.line(
        `two roots in ${stream}`,
        ({ kind, bundles }) => kind === stream && JSON.stringify(bundles) === '{"example.org":2}',
      );

    change({ signer: next, kind: 'ed25519', roots: [next.root], ttlMs: 4_000 });
    const moved = await svidsOf('SVIDs of the next root', ([svid]) => svid?.['key'] === 'Ed25519');
    assert.deepEqual(
      moved.map(({ verifies }) => verifies),
      [true, true],
    );
    const known = new Set([...first, ...moved].map(({ serial }) => serial));
    const renewed = await svidsOf('a renewal at half of four seconds', (svids) =>
      svids.every(({ serial }) => !known.has(serial)),
    );
    assert.deepEqual(
      renewed.map(({ verifies }) => verifies),
      [true, true],
    );

    change({ identities: [] });
    const refusal = await watch.line('PermissionDenied', ({ kind }) => kind === 'svids-error');
    assert.match(String(refusal['error']), /PermissionDenied.*no identity issued/);
    assert.deepEqual(watch.complaints, []);
  },
);

test(
  'go-spiffe accepts every kind of certificate that we issue, and refuses it under another root',
  needsGo,
  async (context) => {
    const cases: { chain: readonly Uint8Array[]; key: Uint8Array; bundle: readonly Uint8Array[]; kind: string }[] = [];
    for (const caKind of ['p256', 'ed25519'] as const) {
      for (const hasIntermediate of [false, true]) {
        const signer = await createSigner(caKind, hasIntermediate);
        for (const [leafKind, kind] of [
          ['p256', 'ECDSA'],
          ['ed25519', 'Ed25519'],
        ] as const) {
          const { chain, privateKey } = await issue(signer, GO_ID, leafKind);
          cases.push({ chain, key: privateKey.export({ type: 'pkcs8', format: 'der' }), bundle: [signer.root], kind });
        }
      }
    }
    const foreign = cases.map((one, index) => ({ ...one, bundle: cases[(index + 2) % cases.length]?.bundle ?? [] }));
    const mixed = cases.map((one, index) => ({ ...one, key: cases[(index + 2) % cases.length]?.key ?? one.key }));
    const verify = new RunningJudge(context, path, 'verify');
    for (const { chain, key, bundle } of [...cases, ...foreign, ...mixed]) {
      const shown = { chain: chain.map(base64), key: base64(key), bundle: bundle.map(base64), domain: 'example.org' };
      verify.write(`${JSON.stringify(shown)}\n`);
    }
    verify.end();
    const said = await verify.all();
    assert.equal(said.length, 24, verify.complaints.join('\n'));
    assert.deepEqual(
      said.slice(0, 8),
      cases.map(({ kind }) => ({ id: GO_ID, chains: 1, key: kind })),
    );
    for (const verdict of said.slice(8, 16)) {
      assert.equal(verdict['parse'], undefined);
      assert.match(String(verdict['verify']), /unknown authority/);
    }
    for (const verdict of said.slice(16)) assert.match(String(verdict['parse']), /private key|signer does not match/);
  },
);

test('a Go client with our SVID calls our sidecar, as the one it must be and no other', needsGo, async (context) => {
  const { socket, signer } = await serve(context, GO_ID);
  const agent = await startEchoUpstream();
  context.after(() => agent.close());
  const own = await sidecar(context, signer, {
    inbound: [{ listen: '127.0.0.1:0', upstream: `auto://127.0.0.1:${agent.port}` }],
  });
  const address = `127.0.0.1:${own.port}`;
  const said = await new RunningJudge(context, path, 'get', socket, SIDECAR_ID, address, '/one', '/two').all();
  assert.deepEqual(
    said.map(({ path, status, protocol, peer, error }) => ({ path, status, protocol, peer, error })),
    ['/one', '/two'].map((at) => ({ path: at, status: 200, protocol: 'HTTP/2.0', peer: SIDECAR_ID, error: undefined })),
  );
  const records = await own.recordsFrom(0, 2);
  assert.deepEqual(
    records.map(({ sallyport }) => [sallyport.peer, sallyport.verdict]),
    [
      [GO_ID, 'allow'],
      [GO_ID, 'allow'],
    ],
  );
  const [wrong] = await new RunningJudge(context, path, 'get', socket, `${SIDECAR_ID}/else`, address, '/three').all();
  assert.match(String(wrong?.['error']), /unexpected ID "spiffe:\/\/example.org\/sidecar"/);
});

test(
  'our sidecar calls a Go server with our SVID, which must be the one of the destination',
  needsGo,
  async (context) => {
    const { socket, signer } = await serve(context, GO_ID);
    const server = new RunningJudge(context, path, 'serve', socket, SIDECAR_ID);
    const { address } = await server.line('the address', (line) => 'address' in line);
    const destinations = {
      'go.internal': { address, id: GO_ID },
      'wrong.internal': { address, id: `${GO_ID}/else` },
    };
    const own = await sidecar(context, signer, {
      inbound: [{ listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:9' }],
      outbound: [{ listen: '127.0.0.1:0', destinations }],
    });
    const call = (host: string): Promise<{ readonly status: number; readonly body: string }> =>
      new Promise((resolve, reject) => {
        const sent = request(
          { port: own.outboundPort(), path: '/hello', agent: false, headers: { host } },
          (response) => {
            let body = '';
            response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
            response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
          },
        );
        sent.on('error', reject).end();
      });
    assert.deepEqual(await call('go.internal'), { status: 200, body: `hello ${SIDECAR_ID}` });
    const { status } = await call('wrong.internal');
    assert.ok(status >= 500, String(status));
    assert.deepEqual(
      server.lines.filter((line) => 'peer' in line).map(({ path, peer }) => [path, peer]),
      [['/hello', SIDECAR_ID]],
    );
    const [good, bad] = await own.recordsFrom(0, 2);
    assert.equal(good?.sallyport.destination?.peer?.spiffe_id, GO_ID);
    assert.equal(bad?.sallyport.verdict, 'allow');
  },
);

test('our client takes what a Workload API of grpc-go and go-spiffe sends', needsGo, async (context) => {
  const signer = await createSigner('ed25519', true);
  const first = await issue(signer, SIDECAR_ID, 'ed25519');
  const second = await issue(signer, SIDECAR_ID, 'p256');
  const crl = must(await makeCrl(signer, { revoked: [], number: 1, ttlMs: 3_600_000 }, { clock: systemClock }));
  const other = await createSigner('p256', false);
  const state = (one: typeof first, more: object = {}): string => {
    const svid = base64(Buffer.concat(one.chain));
    const key = base64(one.privateKey.export({ type: 'pkcs8', format: 'der' }));
    return JSON.stringify({ svids: [{ id: SIDECAR_ID, hint: 'go', svid, key, bundle: base64(signer.root) }], ...more });
  };
  const folder = await tempFolder(context);
  // A federated bundle of a domain that is not in the certificate: only identity's rules decide whether it may stand.
  const federated = { 'spiffe://other.org': base64(other.root) };
  await writeFiles(folder, {
    states: [state(first, { crl: [base64(crl)] }), state(second, { federated }), state(second)].join('\n'),
  });
  const file = join(folder, 'agent.sock');
  const agent = new RunningJudge(context, path, 'agent', join(folder, 'states'), file);
  await agent.line('the address', (line) => 'address' in line);
  const updates: WorkloadUpdate[] = [];
  const problems: (string | undefined)[] = [];
  const client = createWorkloadApiClient(
    { socket: `unix://${file}` },
    {
      clock: systemClock,
      random: systemRandom,
      onUpdate: (update) => updates.push(update),
      onProblem: (problem) => problems.push(problem),
    },
  );
  context.after(() => client.stop());
  client.start();
  await until('the first state', () => updates.length === 1);
  agent.write('\n');
  await until('the refusal', () => problems.length === 1);
  assert.match(problems[0] ?? '', /trust bundle of other.org, certificate 1: /);
  agent.write('\n');
  await until('the last state', () => updates.length === 2);
  assert.deepEqual(
    updates.map(({ svids, crls, federated: more }) => [
      svids[0]?.hint,
      svids[0]?.privateKey.asymmetricKeyType,
      crls.length,
      more.size,
    ]),
    [
      ['go', 'ed25519', 1, 0],
      ['go', 'ec', 0, 0],
    ],
  );
});
