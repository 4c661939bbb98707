import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { encodePem } from '../../../src/core/identity/pem.ts';
import { createAuthority } from '../../support/pki.ts';
import { needsSoftHsm, softToken, type SoftToken } from '../../support/softhsm.ts';

const PROGRAM = join(import.meta.dirname, '../../support/programs/token-key-user.ts');

type Said = {
  readonly type?: string;
  readonly spki?: string;
  readonly signs?: boolean;
  readonly exported?: boolean;
  readonly tls?: string;
  readonly refused?: string;
};

/** What the program says of the key that a file refers to. */
async function use(token: SoftToken, reference: string, certificate?: string): Promise<Said> {
  const path = join(token.folder, 'key');
  writeFileSync(path, reference, { mode: 0o600 });
  const args = [PROGRAM, path, ...(certificate === undefined ? [] : [certificate])];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...token.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  return JSON.parse(text) as Said;
}

test('a key in a token signs, serves TLS, and never comes out', needsSoftHsm, async (context) => {
  const token = await softToken(context);
  const first = await use(token, `${token.uri}\n`);
  assert.deepEqual([first.type, first.signs, first.exported], ['ec', true, false]);
  const publicKey = createPublicKey({ key: Buffer.from(first.spki ?? '', 'base64'), type: 'spki', format: 'der' });
  const root = createAuthority();
  const leaf = root.issue({ rawSpki: publicKey.export({ type: 'spki', format: 'der' }) });
  const certificate = join(token.folder, 'leaf.pem');
  writeFileSync(certificate, encodePem('CERTIFICATE', leaf.der) + root.certificate.certPem);
  assert.equal((await use(token, token.uri, certificate)).tls, 'TLSv1.3');
});

test('a key that is not there, a wrong PIN: refused by name', needsSoftHsm, async (context) => {
  const token = await softToken(context);
  assert.match((await use(token, 'pkcs11:token=ca;object=other;type=private')).refused ?? '', /cannot be opened/);
  writeFileSync(join(token.folder, 'pin'), '9999');
  assert.match((await use(token, token.uri)).refused ?? '', /cannot be opened/);
});

/** What SoftHSM has and a module before it may not pass on: the first use is at the start, not in a peer's handshake. */
for (const kind of ['rsa:2048', 'EC:edwards25519'])
  test(`a key that does not sign as TLS 1.3 asks is refused by name: ${kind}`, needsSoftHsm, async (context) => {
    const token = await softToken(context, kind);
    const said = await use(token, token.uri);
    if (said.refused === undefined) context.diagnostic(`${kind} signs here`);
    else assert.match(said.refused, /does not sign: .*EdDSA for Ed25519, RSA-PSS for RSA/);
  });
