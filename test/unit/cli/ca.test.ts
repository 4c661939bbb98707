import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

test('ca init, issue, revoke, crl: paths on stdout, the rest on stderr', async (context) => {
  const dir = join(await tempFolder(context), 'certs');
  const init = await sallyport(['ca', 'init', '--dir', dir, '--trust-domain', 'a.test']);
  assert.deepEqual(
    [init.code, init.out],
    [0, ['a.test.pem', 'a.test.key', 'a.test.crl.pem'].map((name) => join(dir, name))],
  );
  assert.match(init.err.join(), /not encrypted/);
  const issue = await sallyport([
    'ca',
    'issue',
    '--dir',
    dir,
    '--id',
    'spiffe://a.test/agent',
    '--dns',
    'localhost',
    '--ip',
    '127.0.0.1',
    '--ttl',
    '1h',
  ]);
  assert.deepEqual([issue.code, issue.out], [0, [join(dir, 'agent.pem'), join(dir, 'agent.key')]]);
  const revoke = await sallyport(['ca', 'revoke', '--dir', dir, '--id', 'spiffe://a.test/agent']);
  assert.deepEqual([revoke.code, revoke.out], [0, [join(dir, 'a.test.crl.pem')]]);
  const crl = await sallyport(['ca', 'crl', '--dir', dir, '--trust-domain', 'a.test', '--json']);
  assert.deepEqual(
    [crl.code, JSON.parse(crl.out[0] ?? '')],
    [0, { revocationList: join(dir, 'a.test.crl.pem'), entries: 1 }],
  );
});

test('ca issue --json has everything that a script wants', async (context) => {
  const dir = await tempFolder(context);
  await sallyport(['ca', 'init', '--dir', dir]);
  const { out } = await sallyport(['ca', 'issue', '--dir', dir, '--id', 'spiffe://example.org/a', '--json']);
  const facts = JSON.parse(out[0] ?? '') as Record<string, string>;
  assert.deepEqual(Object.keys(facts).sort(), ['certificate', 'id', 'notAfter', 'privateKey', 'serial']);
  const revoked = await sallyport(['ca', 'revoke', '--dir', dir, '--serial', facts['serial'] ?? '', '--json']);
  assert.deepEqual(JSON.parse(revoked.out[0] ?? ''), {
    serials: [facts['serial']],
    revocationList: join(dir, 'example.org.crl.pem'),
  });
});

test('what is refused is exit 2, what the system refuses is exit 3', async (context) => {
  const dir = await tempFolder(context);
  await sallyport(['ca', 'init', '--dir', dir]);
  assert.equal((await sallyport(['ca', 'init', '--dir', dir])).code, 2);
  assert.equal((await sallyport(['ca', 'issue', '--dir', dir, '--id', 'spiffe://other.org/a'])).code, 2);
  assert.equal((await sallyport(['ca', 'issue', '--dir', dir, '--id', 'agent'])).code, 2);
  await writeFiles(dir, { file: '' });
  const failed = await sallyport(['ca', 'init', '--dir', join(dir, 'file')]);
  assert.deepEqual([failed.code, failed.out], [3, []]);
});
