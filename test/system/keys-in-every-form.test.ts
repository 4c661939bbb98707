import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { encodePem } from '../../src/core/identity/pem.ts';
import { encodePrivateKey } from '../../src/io/keys/encode-key.ts';
import { hasCommand } from '../support/commands.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { createAuthority, type Authority, type Issued } from '../support/pki.ts';
import { spawnSidecar, startSidecar, type RawConfig } from '../support/sidecar-process.ts';
import { inEnvironmentOf, needsSoftHsm, softToken, type SoftToken } from '../support/softhsm.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { ALLOW_ALL, OWN_ID, policyBundle, startSystem, systemConfig, type System } from '../support/system.ts';
import { replaceFile, tempFolder, writeFiles } from '../support/temp-folder.ts';
import { TlsDestination } from '../support/tls-destination.ts';

const SECRET = 'correct horse';
const NEIGHBOUR_ID = 'spiffe://example.org/neighbour';
const HOST = 'neighbour.internal';
const needsOpenssl = { skip: hasCommand('openssl') ? false : 'needs the openssl command' };

/** A way to keep a key: `put` writes an identity into the folder, whole files in place of what was there; `keys` are those of `identity`. */
type Form = {
  readonly name: string;
  readonly keys: RawConfig;
  /** Where the secret stands, for who may read it. */
  readonly secrets: readonly string[];
  readonly put: (folder: string, authority: Authority, serial: bigint) => Promise<Issued>;
};

const ENCRYPTED_PEM: Form = {
  name: 'encrypted PEM',
  keys: { privateKey: 'own.key', certificate: 'own.pem', passphrase: 'passphrase' },
  secrets: ['own.key', 'passphrase'],
  put: async (folder, authority, serial) => {
    const issued = authority.issue({ id: OWN_ID, serial });
    await replaceFile(join(folder, 'passphrase'), SECRET);
    await replaceFile(join(folder, 'own.key'), encodePrivateKey(issued.privateKey, SECRET));
    await replaceFile(join(folder, 'own.pem'), issued.chainPem);
    return issued;
  },
};

const pkcs12 = (keyKind: 'p256' | 'rsa2048'): Form => ({
  name: `PKCS#12, ${keyKind}`,
  keys: { privateKey: 'own.p12', certificate: undefined, passphrase: 'passphrase' },
  secrets: ['own.p12', 'passphrase'],
  put: async (folder, authority, serial) => {
    const at = (name: string): string => join(folder, name);
    const issued = authority.issue({ id: OWN_ID, keyKind, serial });
    await replaceFile(at('passphrase'), SECRET);
    await replaceFile(at('plain.key'), issued.keyPem);
    await replaceFile(at('plain.pem'), issued.chainPem);
    const from = ['-inkey', at('plain.key'), '-in', at('plain.pem'), '-out', at('next.p12')];
    execFileSync('openssl', ['pkcs12', '-export', ...from, '-passout', `file:${at('passphrase')}`], { stdio: 'pipe' });
    execFileSync('mv', [at('next.p12'), at('own.p12')]);
    return issued;
  },
});

/** Each identity has a key of its own in the token, named by its serial number. */
const inToken = (token: SoftToken): Form => ({
  name: 'a PKCS#11 token',
  keys: { privateKey: 'own.uri', certificate: 'own.pem' },
  secrets: ['own.uri'],
  put: async (folder, authority, serial) => {
    const uri = token.addKey(`agent-${serial}`);
    const issued = authority.issue({ id: OWN_ID, serial, rawSpki: token.spki(`agent-${serial}`) });
    await replaceFile(join(folder, 'own.uri'), `${uri}\n`);
    await replaceFile(join(folder, 'own.pem'), encodePem('CERTIFICATE', issued.der));
    return issued;
  },
});

type World = { readonly system: System; readonly folder: string; readonly authority: Authority };

/** A sidecar with its key in that form, between a caller and a neighbour that asks for a certificate. */
async function start(context: TestContext, form: Form): Promise<World> {
  const authority = createAuthority();
  const folder = await tempFolder(context);
  const agent = await startEchoUpstream();
  context.after(() => agent.close());
  const neighbour = await TlsDestination.start(authority.issue({ id: NEIGHBOUR_ID }), { ca: authority.bundlePem });
  context.after(() => neighbour.close());
  await form.put(folder, authority, 1n);
  const destinations = { [HOST]: { address: `127.0.0.1:${neighbour.port}`, id: NEIGHBOUR_ID } };
  const system = await startSystem(context, {
    authority,
    upstream: `http://127.0.0.1:${agent.port}`,
    policy: ALLOW_ALL,
    identity: absolute(folder, form),
    config: { outbound: [{ listen: '127.0.0.1:0', destinations }] },
  });
  return { system, folder, authority };
}

function absolute(folder: string, { keys }: Form): RawConfig {
  return Object.fromEntries(
    Object.entries(keys).map(([key, name]) => [key, typeof name === 'string' ? join(folder, name) : name]),
  );
}

/** Serial number of the certificate that the sidecar shows to callers. */
async function shownSerial(system: System): Promise<string> {
  const socket = connectTls({ port: system.sidecar.port, host: '127.0.0.1', ...system.tls() });
  await once(socket, 'secureConnect');
  const serial = socket.getPeerX509Certificate()?.serialNumber ?? 'none';
  socket.destroy();
  return serial;
}

/** Status of an outbound call, and the serial number of the certificate that the neighbour was shown. */
function callOut(system: System): Promise<{ readonly status: number; readonly serial: unknown }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: system.sidecar.outboundPort(), path: '/', agent: false };
    const sent = request({ ...options, headers: { host: HOST } }, (response) => {
      response.resume().on('end', () => {
        resolve({ status: response.statusCode ?? 0, serial: response.headers['x-client'] });
      });
    });
    sent.on('error', reject).end();
  });
}

/** Both sides of mutual TLS are served with the certificate of this serial number. */
async function works(context: TestContext, system: System, serial: string): Promise<void> {
  assert.equal(await shownSerial(system), serial);
  assert.equal((await get(await connectHttp1(context, system), '/')).status, 200);
  assert.deepEqual(await callOut(system), { status: 200, serial });
}

async function servesAndReloads(context: TestContext, form: Form): Promise<void> {
  const { system, folder, authority } = await start(context, form);
  await works(context, system, '01');
  await form.put(folder, authority, 2n);
  await system.sidecar.until('the next key', async () => (await shownSerial(system)) === '02');
  await works(context, system, '02');
  assert.ok(!JSON.stringify(system.sidecar.log).includes(SECRET));
}

/** What a sidecar says that does not start. */
async function refusal(context: TestContext, form: Form, spoil: (folder: string) => Promise<void>): Promise<string> {
  const folder = await tempFolder(context);
  const authority = createAuthority();
  await form.put(folder, authority, 1n);
  await writeFiles(folder, { 'trust.pem': authority.bundlePem, 'policy.tar.gz': await policyBundle(ALLOW_ALL) });
  await spoil(folder);
  const config = systemConfig({ upstream: 'http://127.0.0.1:9', policy: ALLOW_ALL, identity: form.keys });
  const sidecar = await spawnSidecar(context, folder, { journal: ['file:records.ndjson'], ...config });
  assert.equal(await sidecar.exited(), 2, sidecar.story());
  const said = sidecar.log.map(({ msg }) => msg).join('\n');
  assert.ok(!said.includes(SECRET));
  return said;
}

describe('a sidecar answers, calls and takes up the next key', () => {
  test(ENCRYPTED_PEM.name, (context) => servesAndReloads(context, ENCRYPTED_PEM));
  for (const kind of ['p256', 'rsa2048'] as const)
    test(pkcs12(kind).name, needsOpenssl, (context) => servesAndReloads(context, pkcs12(kind)));
  test('a PKCS#11 token', needsSoftHsm, async (context) => {
    const token = await softToken(context);
    inEnvironmentOf(context, token);
    await servesAndReloads(context, inToken(token));
  });
});

describe('a secret that others can read is refused by name', () => {
  for (const [form, needs] of [
    [ENCRYPTED_PEM, { skip: false }],
    [pkcs12('p256'), needsOpenssl],
  ] as const)
    for (const name of form.secrets)
      test(`${form.name}: ${name}`, needs, async (context) => {
        const said = await refusal(context, form, (folder) => chmod(join(folder, name), 0o644));
        assert.match(
          said,
          new RegExp(`${name}: the (private key|passphrase) can be read by everybody \\(mode 0644\\)`),
        );
      });
});

describe('a wrong passphrase', () => {
  for (const [form, needs] of [
    [ENCRYPTED_PEM, { skip: false }],
    [pkcs12('rsa2048'), needsOpenssl],
  ] as const)
    test(`${form.name}: is no start`, needs, async (context) => {
      const said = await refusal(context, form, (folder) => writeFile(join(folder, 'passphrase'), 'guessed'));
      assert.match(said, /the passphrase is wrong, or the file is damaged/);
    });

  test('and a right one later: the last good key stays in force, the next is taken when it opens', async (context) => {
    const { system, folder, authority } = await start(context, ENCRYPTED_PEM);
    const issued = authority.issue({ id: OWN_ID, serial: 2n });
    await replaceFile(join(folder, 'own.pem'), issued.chainPem);
    await replaceFile(join(folder, 'own.key'), encodePrivateKey(issued.privateKey, 'the next one'));
    await system.sidecar.until('a report', async () => {
      return (await system.sidecar.metric('sallyport_source_problem{kind="identity"}')) === 1;
    });
    assert.equal(await shownSerial(system), '01');
    await replaceFile(join(folder, 'passphrase'), 'the next one');
    await system.sidecar.until('the next key', async () => (await shownSerial(system)) === '02');
  });
});

test('a token that is not there at the start is no start', needsSoftHsm, async (context) => {
  const token = await softToken(context);
  inEnvironmentOf(context, token);
  const said = await refusal(context, inToken(token), () => token.takeAway());
  assert.match(said, /own\.uri: the key in the PKCS#11 token cannot be opened/);
});

test(
  'a token that goes away: open connections go on, new ones fail with their records, and a restart mends it',
  needsSoftHsm,
  async (context) => {
    const token = await softToken(context);
    inEnvironmentOf(context, token);
    const form = inToken(token);
    const { system, folder, authority } = await start(context, form);
    const { sidecar } = system;
    const open = await connectHttp1(context, system);
    assert.equal((await get(open, '/')).status, 200);
    await token.takeAway();

    assert.equal((await get(open, '/')).status, 200);
    await assert.rejects(shownSerial(system));
    assert.equal((await callOut(system)).status, 503);
    const [, , refused, called] = await sidecar.recordsFrom(0, 4);
    assert.deepEqual([refused?.sallyport.fault, refused?.sallyport.verdict], ['tls_handshake_failed', 'deny']);
    assert.match(refused?.sallyport.detail ?? '', /TOKEN/);
    assert.equal(called?.sallyport.outcome.fault, 'identity_unavailable');
    assert.equal(
      await sidecar.metric('sallyport_connections_refused_total{direction="inbound",fault="tls_handshake_failed"}'),
      1,
    );

    const ready = await sidecar.admin('/readyz');
    assert.equal(ready.status, 503);
    assert.match(ready.text, /the PKCS#11 token does not sign/);

    // OpenSSL's provider does not find a token again within the process, so neither does a change of files help.
    await token.putBack();
    await form.put(folder, authority, 2n);
    await sidecar.logged(/own\.uri: the key in the PKCS#11 token cannot be opened/);
    await assert.rejects(shownSerial(system));
    assert.equal((await get(open, '/')).status, 200);
    await sidecar.stop();
    const config = systemConfig({
      upstream: 'http://127.0.0.1:9',
      policy: ALLOW_ALL,
      identity: absolute(folder, form),
    });
    const again = await startSidecar(context, system.folder, config);
    assert.equal(await shownSerial({ ...system, sidecar: again }), '02');
  },
);
