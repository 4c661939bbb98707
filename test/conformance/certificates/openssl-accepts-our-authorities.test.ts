import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { encodePem } from '../../../src/core/identity/pem.ts';
import { openSigner } from '../../../src/core/issuance/ca-signer.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { makeCrl } from '../../../src/core/issuance/crl.ts';
import { readCsr } from '../../../src/core/issuance/csr.ts';
import { newSerial } from '../../../src/core/issuance/deps.ts';
import { createIntermediate } from '../../../src/core/issuance/intermediate.ts';
import { createRoot } from '../../../src/core/issuance/root.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { issueSvid } from '../../../src/core/issuance/svid.ts';
import { systemClock, systemRandom } from '../../support/system-clock.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { KeyKind } from '../../../src/core/issuance/signing-key.ts';

const run = promisify(execFile);
const there = await run('openssl', ['version']).then(
  () => true,
  () => false,
);
const needsOpenssl = { skip: there ? false : 'this machine has no openssl command' };

const deps = { clock: systemClock, random: systemRandom };
const trustDomain = 'example.org' as TrustDomain;
const HOUR = 3_600_000;

async function openssl(...args: readonly string[]): Promise<string> {
  return run('openssl', args).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }: { stdout: string; stderr: string }) => `${stdout}${stderr}`,
  );
}

function valueOf<T, E>(result: Result<T, E>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

const pem = (label: string, der: Uint8Array | undefined): string => encodePem(label, der ?? new Uint8Array());

/** Root, intermediate, two leaves of which one is revoked, lists of both CAs and a request, as PEM files. */
async function world(context: TestContext, kind: KeyKind): Promise<(name: string) => string> {
  const root = valueOf(await createRoot(trustDomain, { ttlMs: 24 * HOUR, keyKind: kind }, deps));
  const open = (chain: readonly Uint8Array[], privateKey: typeof root.privateKey) =>
    openSigner({ trustDomain, chain, rootDer: root.der, privateKey }, Date.now());
  const above = valueOf(await open([], root.privateKey));
  const { privateKey, publicKey } = generateKeyPair(kind);
  const middle = valueOf(await createIntermediate(above, { publicKey, ttlMs: HOUR, name: 'Issuing CA' }, deps));
  const signer = valueOf(await open([middle], privateKey));
  const csr = await createCsr(generateKeyPair(kind).privateKey);
  const request = valueOf(readCsr(csr));
  const issue = async (spiffeId: string) => {
    const wanted = { request, spiffeId, ttlMs: HOUR, serial: newSerial(systemRandom), dnsNames: ['localhost'] };
    return valueOf(await issueSvid(signer, wanted, deps));
  };
  const [good, bad] = [await issue('spiffe://example.org/good'), await issue('spiffe://example.org/bad')];
  const revoked = [{ serial: bad.serial, atMs: Date.now() }];
  const folder = await tempFolder(context);
  await writeFiles(folder, {
    'root.pem': pem('CERTIFICATE', root.der),
    'middle.pem': pem('CERTIFICATE', middle),
    'good.pem': pem('CERTIFICATE', good.chain[0]),
    'bad.pem': pem('CERTIFICATE', bad.chain[0]),
    'request.pem': pem('CERTIFICATE REQUEST', csr),
    'lists.pem': [
      pem('X509 CRL', valueOf(await makeCrl(signer, { revoked, number: 300, ttlMs: HOUR }, deps))),
      pem('X509 CRL', valueOf(await makeCrl(above, { revoked: [], number: 1, ttlMs: HOUR }, deps))),
    ].join(''),
  });
  return (name) => join(folder, name);
}

for (const kind of ['p256', 'ed25519'] as const) {
  test(
    `openssl verify -x509_strict accepts leaf, intermediate and root of ${kind}, with the lists of both CAs`,
    needsOpenssl,
    async (context) => {
      const at = await world(context, kind);
      const verify = (purpose: string, leaf: string): Promise<string> =>
        openssl(
          'verify',
          '-x509_strict',
          '-crl_check_all',
          '-purpose',
          purpose,
          '-CAfile',
          at('root.pem'),
          '-untrusted',
          at('middle.pem'),
          '-CRLfile',
          at('lists.pem'),
          at(leaf),
        );
      for (const purpose of ['sslclient', 'sslserver']) {
        assert.equal((await verify(purpose, 'good.pem')).trim(), `${at('good.pem')}: OK`);
        assert.match(await verify(purpose, 'bad.pem'), /certificate revoked/);
      }
    },
  );

  test(`openssl verifies a request of ours with ${kind}`, needsOpenssl, async (context) => {
    const at = await world(context, kind);
    const text = await openssl('req', '-verify', '-noout', '-subject', '-in', at('request.pem'));
    assert.match(text, /subject=\s*$/m);
    assert.doesNotMatch(text, /fail/i);
  });
}

/** What openssl is told to ask for, and the URI that comes out or the fault. */
const WISHES: readonly (readonly [wishes: readonly string[], outcome: string])[] = [
  [[], ''],
  [['subjectAltName=DNS:root,IP:192.0.2.1,email:a@b', 'keyUsage=digitalSignature', 'basicConstraints=CA:FALSE'], ''],
  [['subjectAltName=DNS:root,URI:spiffe://example.org/root'], 'spiffe://example.org/root'],
  [['basicConstraints=critical,CA:TRUE'], 'csr_asks_for_more'],
  [['keyUsage=critical,digitalSignature,keyCertSign'], 'csr_asks_for_more'],
  [['keyUsage=cRLSign'], 'csr_asks_for_more'],
  [['subjectAltName=URI:spiffe://example.org/a,URI:spiffe://example.org/b'], 'csr_asks_for_more'],
];

test(
  'a request that openssl makes is read with the names that tools write, and refused by name where it asks to be a CA or for two URIs',
  needsOpenssl,
  async (context) => {
    const folder = await tempFolder(context);
    const [key, csr] = [join(folder, 'key.pem'), join(folder, 'csr.der')];
    for (const algorithm of [
      'ed25519',
      'RSA',
      'EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve',
    ]) {
      await run('openssl', ['genpkey', '-algorithm', ...algorithm.split(' '), '-out', key]);
      for (const [wishes, outcome] of WISHES) {
        const added = wishes.flatMap((wish) => ['-addext', wish]);
        const asked = ['req', '-new', '-key', key, '-subj', '/CN=root/O=us', '-outform', 'DER', '-out', csr];
        await run('openssl', [...asked, ...added]);
        const read = readCsr(new Uint8Array(await readFile(csr)));
        assert.equal(read.ok ? read.value.uris.join() : read.error.kind, outcome, `${algorithm} ${wishes.join(' ')}`);
      }
    }
  },
);
