import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { Sidecar } from '../../../src/app/assembled-sidecar.ts';
import { createObserver } from '../../../src/app/observer.ts';
import { loadConfig } from '../../../src/core/config/config.ts';
import { NULL_LOG } from '../../../src/io/telemetry/log.ts';
import { NULL_TELEMETRY } from '../../../src/io/telemetry/null-telemetry.ts';
import { createAuthority } from '../../support/pki.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

test('a sidecar that is stopped while it is about to open its listeners opens none', async (context) => {
  const folder = await tempFolder(context);
  const authority = createAuthority();
  const { chainPem, keyPem } = authority.issue();
  await writeFiles(folder, {
    'own.pem': chainPem,
    'own.key': keyPem,
    'roots.pem': authority.bundlePem,
    token: 'a-token-that-is-long-enough',
    'policy/policy.rego': 'package sallyport.authz\ndecision := true\n',
  });
  await Promise.all(['own.key', 'token'].map((name) => chmod(join(folder, name), 0o600)));
  const destination = { address: '127.0.0.1:9', id: 'spiffe://example.org/researcher' };
  const config = loadConfig(
    JSON.stringify({
      identity: {
        certificate: join(folder, 'own.pem'),
        privateKey: join(folder, 'own.key'),
        trustBundles: { 'example.org': join(folder, 'roots.pem') },
      },
      inbound: [{ listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:9' }],
      outbound: [{ listen: '127.0.0.1:0', token: join(folder, 'token'), destinations: { researcher: destination } }],
      policy: { bundle: join(folder, 'policy') },
      journal: [`file:${join(folder, 'records.ndjson')}`],
    }),
    {},
  );
  assert.ok(config.ok, JSON.stringify(config));
  const sidecar = new Sidecar(config.value, createObserver(NULL_TELEMETRY, NULL_LOG, { id: 'test', version: '0' }));
  await sidecar.prepare();
  const opened = sidecar.open();
  assert.equal(await sidecar.stop(0), 0);
  assert.equal(await opened, undefined);
});
