import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';

import { caDeps } from '../../../src/app/ca-keys.ts';
import { parseCrl } from '../../../src/core/identity/crl.ts';
import { openAuthorityStore } from '../../../src/io/authority/authority-store.ts';
import { AuthorityProcess } from '../../support/authority-process.ts';
import { valueOf } from '../../support/authority-world.ts';
import {
  callHttps,
  freshCsr,
  postSvid,
  shown,
  type HttpsAnswer,
  type TrustOnWire,
} from '../../support/served-authority.ts';
import { inEnvironmentOf, needsSoftHsm, softToken, type SoftToken } from '../../support/softhsm.ts';
import { until } from '../../support/until.ts';

const MAIN = resolve(import.meta.dirname, '../../../src/cli/main.ts');
const SPEED = resolve(import.meta.dirname, '../../support/programs/token-speed.ts');
const AGENT = 'spiffe://example.org/ns/agents/sa/researcher';

/** A command as a user starts it, in the environment of the token. */
async function sallyport(...args: readonly string[]): Promise<{ readonly code: unknown; readonly said: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...args]);
    return { code: 0, said: stdout + stderr };
  } catch (error) {
    const { code, stderr } = error as { code: unknown; stderr: string };
    return { code, said: stderr };
  }
}

type World = { readonly token: SoftToken; readonly authority: AuthorityProcess };

/** An authority whose root key and issuing key are in a token, made by the commands of docs/keys.md. */
async function inToken(context: TestContext, list = '10m'): Promise<World> {
  const token = await softToken(context);
  inEnvironmentOf(context, token);
  const folder = join(token.folder, 'ca');
  const [rootKey, issuingKey] = [join(token.folder, 'root.uri'), join(token.folder, 'issuing.uri')];
  await writeFile(rootKey, `${token.addKey('root')}\n`, { mode: 0o600 });
  await writeFile(issuingKey, `${token.uri}\n`, { mode: 0o600 });
  const made = await sallyport('ca', 'init', '--dir', folder, '--root-key', rootKey, '--issuing-key', issuingKey);
  assert.equal(made.code, 0, made.said);
  const store = openAuthorityStore(folder, { busyMs: 5_000 });
  const deps = valueOf(await caDeps(folder, undefined));
  const limits = { perSource: 1_000, perId: 1_000 };
  const config = { trustDomain: 'example.org', dir: folder, limits, lifetimes: { list } };
  const authority = new AuthorityProcess(folder, store, deps, config);
  context.after(async () => {
    await authority.kill();
    store.close();
  });
  return { token, authority };
}

const portOf = ({ url }: AuthorityProcess): number => Number(new URL(url).port);

async function enrol(authority: AuthorityProcess, csr: string): Promise<HttpsAnswer> {
  return postSvid(portOf(authority), { csr, method: 'join-token', token: authority.token(AGENT) });
}

type Given = { readonly chain: readonly string[]; readonly trust: TrustOnWire };

const chainOf = ({ json }: HttpsAnswer): readonly Uint8Array[] =>
  (json as Given).chain.map((der) => Uint8Array.fromBase64(der));

test('root and issuing key in a token: it enrols, renews, revokes', needsSoftHsm, async (context) => {
  const { authority } = await inToken(context);
  await authority.start();
  const { privateKey, base64 } = await freshCsr();
  const enrolled = await enrol(authority, base64);
  assert.equal(enrolled.status, 200);
  const chain = chainOf(enrolled);
  const [leaf, issuing] = chain.map((der) => new X509Certificate(der));
  const [root] = ((enrolled.json as Given).trust.bundles['example.org'] ?? []).map(
    (der) => new X509Certificate(Uint8Array.fromBase64(der)),
  );
  assert.ok(leaf !== undefined && issuing !== undefined && root !== undefined);
  assert.ok(leaf.subjectAltName?.includes(AGENT));
  assert.deepEqual(
    [leaf.verify(issuing.publicKey), issuing.verify(root.publicKey), root.verify(root.publicKey)],
    [true, true, true],
  );

  const renewed = await postSvid(portOf(authority), { csr: (await freshCsr()).base64 }, shown(chain, privateKey));
  assert.equal(renewed.status, 200);

  authority.revoke({ serial: leaf.serialNumber.toLowerCase() });
  const { revision } = (enrolled.json as Given).trust;
  const { json } = await callHttps({ port: portOf(authority), path: `/v1/trust?revision=${revision}&wait=10` });
  const lists = (json as TrustOnWire).crls.map((der) => valueOf(parseCrl(Uint8Array.fromBase64(der))));
  assert.ok(lists.some((list) => list.revoked.has(leaf.serialNumber.toLowerCase())));
});

test(
  'a token that goes away gives nothing out, and a restart with the token mends it',
  needsSoftHsm,
  async (context) => {
    const { token, authority } = await inToken(context);
    await authority.start();
    const { base64: csr } = await freshCsr();
    const ask = { csr, method: 'join-token', token: authority.token(AGENT) };
    await token.takeAway();
    const refused = await postSvid(portOf(authority), ask);
    context.diagnostic(`the answer without the token: ${refused.status} ${refused.body.toString()}`);
    assert.notEqual(refused.status, 200);
    assert.ok(!/PKCS|sign/i.test(refused.body.toString()), 'a caller is not told why');
    await until('the record', async () => (await authority.issuanceLog()).includes('"issuer_unavailable"'));

    // OpenSSL's provider does not find a token again within the process.
    await token.putBack();
    assert.notEqual((await postSvid(portOf(authority), ask)).status, 200);
    await authority.stop();
    await authority.start();
    assert.equal((await postSvid(portOf(authority), ask)).status, 200, 'the join token was not spent');
  },
);

test('lists that a token no longer signs are reported by the process itself', needsSoftHsm, async (context) => {
  const { token, authority } = await inToken(context, '5s');
  await authority.start();
  await token.takeAway();
  const said = await until('the report', () =>
    authority.log.find(({ msg }) => msg === 'the authority cannot do all its work'),
  );
  assert.match(String(said['problem']), /does not sign/);
});

test('a token that is away at the start is no start, and says so', needsSoftHsm, async (context) => {
  const { token, authority } = await inToken(context);
  await token.takeAway();
  await assert.rejects(
    authority.start(),
    /nothing can be issued: .*issuing\.uri: the key in the PKCS#11 token cannot be opened/,
  );
  await token.putBack();
  await authority.start();
  assert.equal((await enrol(authority, (await freshCsr()).base64)).status, 200);
});

test(
  'Ed25519, which p11-kit may not pass on: works, or is refused by name before there is an authority',
  needsSoftHsm,
  async (context) => {
    const token = await softToken(context, 'EC:edwards25519');
    inEnvironmentOf(context, token);
    const reference = join(token.folder, 'ed.uri');
    await writeFile(reference, token.uri, { mode: 0o600 });
    for (const option of ['--issuing-key', '--root-key']) {
      const folder = join(token.folder, option);
      const { code, said } = await sallyport('ca', 'init', '--dir', folder, option, reference);
      context.diagnostic(`${option}: exit ${String(code)} ${said.trim()}`);
      const list = await sallyport('ca', 'crl', '--dir', folder);
      if (code === 0) assert.equal(list.code, 0, list.said);
      else {
        assert.match(said, /the key in the PKCS#11 token does not sign: .*EdDSA for Ed25519/);
        assert.notEqual(list.code, 0, list.said);
      }
    }
  },
);

test('signatures a second', needsSoftHsm, async (context) => {
  const token = await softToken(context);
  inEnvironmentOf(context, token);
  const reference = join(token.folder, 'issuing.uri');
  await writeFile(reference, token.uri, { mode: 0o600 });
  const { stdout } = await promisify(execFile)(process.execPath, [SPEED, reference]);
  const { token: inside, memory } = JSON.parse(stdout) as { token: number; memory: number };
  context.diagnostic(`P-256: ${inside} in SoftHSM behind p11-kit, ${memory} in memory`);
  assert.ok(inside > 0 && memory > 0);
});
