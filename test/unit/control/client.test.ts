import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { createControlClient, type Ask, type ControlClient } from '../../../src/io/control/client.ts';
import { readBounded } from '../../../src/io/sources/read-file.ts';
import { startControlServer, type ControlFault, type ControlServer } from '../../support/control-server.ts';
import { createAuthority } from '../../support/pki.ts';
import { createManualTimer } from '../../support/manual-timer.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

import type { ControlSettings } from '../../../src/io/control/settings.ts';

const GET: Ask = { method: 'GET', headers: {}, maxBytes: 65_536 };
const TIMEOUT = 60_000;

type World = {
  readonly server: ControlServer;
  readonly folder: string;
  readonly client: (settings?: Partial<ControlSettings>) => ControlClient;
  readonly clock: ReturnType<typeof createManualTimer>;
};

async function world(context: TestContext, dnsName?: string): Promise<World> {
  const server = await startControlServer(context, dnsName);
  const folder = await tempFolder(context);
  const trustBundle = join(folder, 'ca.pem');
  await writeFile(trustBundle, server.trustPem);
  const clock = createManualTimer();
  const client = (settings: Partial<ControlSettings> = {}): ControlClient => {
    const made = createControlClient(
      { url: server.url('/bundles/b'), trustBundle, timeout: TIMEOUT, ...settings },
      { readFile: readBounded, timer: clock.timer },
    );
    context.after(() => made.stop());
    return made;
  };
  return { server, folder, client, clock };
}

describe('an answer', () => {
  test('comes with status, fields and body, and connections are used again', async (context) => {
    const { server, client } = await world(context);
    server.offer(Buffer.from('content'), '"1"');
    const one = client();
    for (let turn = 0; turn < 3; turn += 1) {
      const answer = await one.ask(GET);
      assert.ok(answer.ok);
      assert.deepEqual(
        [answer.value.status, answer.value.headers['etag'], Buffer.from(answer.value.body).toString()],
        [200, '"1"', 'content'],
      );
    }
    assert.equal(server.received[0]?.headers['accept-encoding'], 'identity');
  });

  test('is told whatever its status; a redirect is not followed', async (context) => {
    const { server, client } = await world(context);
    server.faults.set('/bundles/b', { kind: 'redirect', to: server.url('/status') });
    const answer = await client().ask(GET);
    assert.equal(answer.ok && answer.value.status, 307);
    assert.deepEqual(
      server.received.map((one) => one.path),
      ['/bundles/b'],
    );
  });

  test('larger than the bound is refused, whether its length is announced or not', async (context) => {
    const { server, client } = await world(context);
    server.offer(Buffer.alloc(1_001));
    const bounded = { ...GET, maxBytes: 1_000 };
    const tooLarge = { ok: false, error: { kind: 'too_large', detail: 'the answer is larger than 1000 bytes' } };
    const one = client();
    assert.deepEqual(await one.ask(bounded), tooLarge);
    server.faults.set('/bundles/b', { kind: 'endless' });
    assert.deepEqual(await one.ask(bounded), tooLarge);
    server.faults.clear();
    server.offer(Buffer.alloc(1_000));
    assert.ok((await one.ask(bounded)).ok);
  });

  test('that is compressed without having been asked for is refused', async (context) => {
    const { server, client } = await world(context);
    server.faults.set('/bundles/b', { kind: 'status', status: 200, headers: { 'content-encoding': 'gzip' } });
    const answer = await client().ask(GET);
    assert.deepEqual(answer, {
      ok: false,
      error: { kind: 'broken', detail: 'the answer is compressed, which was not asked for' },
    });
  });
});

describe('no answer', () => {
  for (const kind of ['silent', 'stalled'] as const) {
    test(`${kind}: the deadline covers the whole exchange`, async (context) => {
      const { server, client, clock } = await world(context);
      server.faults.set('/bundles/b', { kind });
      const asked = client().ask({ ...GET, extraMs: 5 });
      await clock.fire(TIMEOUT + 5);
      assert.deepEqual(await asked, {
        ok: false,
        error: { kind: 'timeout', detail: 'no whole answer within 60005 ms' },
      });
    });
  }

  for (const fault of [{ kind: 'truncated' }, { kind: 'reset' }] as const satisfies readonly ControlFault[]) {
    test(`${fault.kind}: a fault, and the next request works`, async (context) => {
      const { server, client } = await world(context);
      server.offer(Buffer.from('x'));
      server.faults.set('/bundles/b', fault);
      const one = client();
      const broken = await one.ask(GET);
      assert.ok(!broken.ok);
      assert.equal(broken.error.kind, 'broken');
      assert.match(broken.error.detail, /cut/);
      server.faults.clear();
      assert.ok((await one.ask(GET)).ok);
    });
  }

  test('nobody listens', async (context) => {
    const { server, client } = await world(context);
    await server.stop();
    const answer = await client().ask(GET);
    assert.deepEqual(answer, {
      ok: false,
      error: { kind: 'unreachable', detail: 'nothing listens there (connection refused)' },
    });
  });

  test('stop ends what is under way', async (context) => {
    const { server, client } = await world(context);
    server.faults.set('/bundles/b', { kind: 'silent' });
    const one = client();
    const asked = one.ask(GET);
    await until('the request', () => server.received.length === 1);
    await one.stop();
    assert.equal((await asked).ok, false);
  });
});

describe('whom we believe', () => {
  test('a server of another authority is not spoken to: no token reaches it', async (context) => {
    const { server, client } = await world(context);
    const other = await startControlServer(context);
    const answer = await client({ url: other.url('/bundles/b'), token: 'secret-token' }).ask(GET);
    assert.ok(!answer.ok);
    assert.equal(answer.error.kind, 'unreachable');
    assert.match(answer.error.detail, /no authority that we believe; see trustBundle|TLS failed/);
    assert.deepEqual([server.received.length, other.received.length], [0, 0]);
  });

  test('without a trust bundle those of the system count, and ours is not among them', async (context) => {
    const { server, client } = await world(context);
    const answer = await client({ trustBundle: undefined }).ask(GET);
    assert.ok(!answer.ok && answer.error.kind === 'unreachable');
    assert.equal(server.received.length, 0);
  });

  test('nothing in the environment switches that off', async (context) => {
    const { server, client } = await world(context);
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    context.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);
    const answer = await client({ trustBundle: undefined, token: 'secret-token' }).ask(GET);
    assert.ok(!answer.ok && answer.error.kind === 'unreachable');
    assert.equal(server.received.length, 0);
  });

  test('HTTP/1.1 is all that is offered, so that no server can choose a protocol with other bounds', async (context) => {
    const authority = createAuthority({ trustDomain: 'control.test' });
    const { keyPem: key, chainPem: cert } = authority.issue({
      uris: [],
      dnsNames: ['localhost'],
      subject: 'localhost',
    });
    const offered: (readonly string[])[] = [];
    const choose = ({ protocols }: { protocols: string[] }): string => {
      offered.push(protocols);
      return protocols.includes('h2') ? 'h2' : 'http/1.1';
    };
    const server = createSecureServer({ key, cert, allowHTTP1: true, ALPNCallback: choose }, (_, response) => {
      response.end('taken');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    context.after(() => server.close());
    const { folder, client } = await world(context);
    await writeFile(join(folder, 'ca.pem'), authority.bundlePem);
    const answer = await client({ url: `https://localhost:${(server.address() as AddressInfo).port}/` }).ask(GET);
    assert.equal(answer.ok && Buffer.from(answer.value.body).toString(), 'taken');
    assert.deepEqual(offered, [['http/1.1']]);
  });

  test('a certificate for another host is not accepted', async (context) => {
    const { server, client } = await world(context, 'other.test');
    const answer = await client().ask(GET);
    assert.ok(!answer.ok);
    assert.equal(answer.error.detail, 'its certificate is for another host name');
    assert.equal(server.received.length, 0);
  });

  test('the client shows its certificate where it has one', async (context) => {
    const { server, folder, client } = await world(context);
    server.offer(Buffer.from('x'));
    const issued = server.authority.issue({ id: 'spiffe://control.test/agent' });
    const files = { certificate: join(folder, 'own.pem'), privateKey: join(folder, 'own.key') };
    await writeFile(files.certificate, issued.chainPem);
    await writeFile(files.privateKey, issued.keyPem, { mode: 0o600 });
    assert.ok((await client(files).ask(GET)).ok);
    assert.ok((await client().ask(GET)).ok);
    assert.deepEqual(
      server.received.map((one) => one.certified),
      [true, false],
    );
  });
});

describe('credentials', () => {
  test('the token of a file is read anew for each request', async (context) => {
    const { server, folder, client } = await world(context);
    const tokenFile = join(folder, 'token');
    const one = client({ tokenFile });
    for (const token of ['first', 'second']) {
      await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
      await one.ask(GET);
    }
    assert.deepEqual(
      server.received.map((each) => each.headers['authorization']),
      ['Bearer first', 'Bearer second'],
    );
  });

  test('a trust bundle that changes counts from the next request on', async (context) => {
    const { server, folder, client } = await world(context);
    const one = client();
    assert.ok((await one.ask(GET)).ok);
    const other = await startControlServer(context);
    await writeFile(join(folder, 'ca.pem'), other.trustPem);
    assert.equal((await one.ask(GET)).ok, false);
    await writeFile(join(folder, 'ca.pem'), server.trustPem);
    assert.ok((await one.ask(GET)).ok);
  });

  test('a file without PEM is no trust bundle and no certificate: an empty one does not stand for those of the system, or for none', async (context) => {
    const { server, folder, client } = await world(context);
    const issued = server.authority.issue({ id: 'spiffe://control.test/agent' });
    const [own, key, odd] = ['own.pem', 'own.key', 'odd'].map((name) => join(folder, name)) as [string, string, string];
    await writeFile(own, issued.chainPem);
    await writeFile(key, issued.keyPem, { mode: 0o600 });
    for (const content of ['', '\n', 'no certificate']) {
      await writeFile(odd, content, { mode: 0o600 });
      const refused = (what: string) => ({
        ok: false,
        error: {
          kind: 'credentials',
          detail: `${odd}: holds no ${what} in PEM (-----BEGIN ${what.toUpperCase()}-----)`,
        },
      });
      assert.deepEqual(await client({ trustBundle: odd }).ask(GET), refused('certificate'));
      assert.deepEqual(await client({ certificate: odd, privateKey: key }).ask(GET), refused('certificate'));
      assert.deepEqual(await client({ certificate: own, privateKey: odd }).ask(GET), refused('private key'));
    }
    assert.equal(server.received.length, 0);
  });

  test('a token or key that others can read is refused, and a text that is no token; nothing of it is told', async (context) => {
    const { server, folder, client } = await world(context);
    const path = join(folder, 'secret');
    await writeFile(path, 'hunter2 hunter2', { mode: 0o600 });
    const odd = await client({ tokenFile: path }).ask(GET);
    assert.deepEqual(odd, {
      ok: false,
      error: { kind: 'credentials', detail: `${path}: holds no bearer token (RFC 6750 2.1)` },
    });
    for (const mode of [0o604, 0o602, 0o620]) {
      await chmod(path, mode);
      const detail = `${path}: others can read or change it (mode ${mode.toString(8)}); chmod 600 it`;
      const refused = { ok: false, error: { kind: 'credentials', detail } };
      assert.deepEqual(await client({ tokenFile: path }).ask(GET), refused);
      assert.deepEqual(await client({ certificate: path, privateKey: path }).ask(GET), refused);
    }
    assert.equal(server.received.length, 0);
  });
});
