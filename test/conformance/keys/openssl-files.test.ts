import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { createKeyOpener } from '../../../src/io/keys/key-opener.ts';
import { createAuthority } from '../../support/pki.ts';
import { hasCommand } from '../../support/commands.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const needsOpenssl = { skip: hasCommand('openssl') ? false : 'needs the openssl command' };
const KINDS = ['p256', 'ed25519', 'rsa2048'] as const;

/** Files as users make them with the openssl command; each is opened to the key and, in order, the chain. */
for (const kind of KINDS)
  test(
    `a PKCS#12 file that openssl wrote: ${kind}, with an intermediate and the root`,
    needsOpenssl,
    async (context) => {
      const folder = await tempFolder(context);
      const root = createAuthority();
      const issuing = root.intermediate();
      const leaf = issuing.issue({ keyKind: kind });
      const at = (name: string): string => join(folder, name);
      writeFileSync(at('key.pem'), leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      writeFileSync(at('leaf.pem'), leaf.certPem);
      writeFileSync(at('above.pem'), root.certificate.certPem + issuing.certificate.certPem);
      writeFileSync(at('pass'), 'geheim', { mode: 0o600 });
      const files = [
        '-inkey',
        at('key.pem'),
        '-in',
        at('leaf.pem'),
        '-certfile',
        at('above.pem'),
        '-out',
        at('agent.p12'),
      ];
      execFileSync('openssl', ['pkcs12', '-export', ...files, '-passout', `file:${at('pass')}`], { stdio: 'pipe' });
      const result = await createKeyOpener({ passphrase: at('pass') }).open('agent.p12', readFileSync(at('agent.p12')));
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(
        result.value.chain.map((der) => der.toHex()),
        leaf.chain.map((der) => Buffer.from(der).toHex()),
      );
      const digest = kind === 'ed25519' ? null : 'sha256';
      const signature = sign(digest, Buffer.from('x'), result.value.privateKey);
      assert.ok(verify(digest, Buffer.from('x'), new X509Certificate(leaf.der).publicKey, signature));
    },
  );

test('an encrypted PEM key that openssl wrote', needsOpenssl, async (context) => {
  const folder = await tempFolder(context);
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('pass'), 'geheim\n', { mode: 0o600 });
  const make = ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-aes256'];
  execFileSync('openssl', [...make, '-pass', `file:${at('pass')}`, '-out', at('key.pem')], { stdio: 'pipe' });
  const result = await createKeyOpener({ passphrase: at('pass') }).open('key.pem', readFileSync(at('key.pem')));
  assert.ok(result.ok, JSON.stringify(result));
  assert.equal(createPublicKey(result.value.privateKey).asymmetricKeyType, 'ec');
});
