import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';

import { Sidecar } from '../../../src/app/assembled-sidecar.ts';
import { createObserver } from '../../../src/app/observer.ts';
import { loadConfig } from '../../../src/core/config/config.ts';
import { NULL_LOG } from '../../../src/io/telemetry/log.ts';
import { NULL_TELEMETRY } from '../../../src/io/telemetry/null-telemetry.ts';
import type { Telemetry } from '../../../src/io/telemetry/telemetry.ts';
import { createAuthority, type Authority, type Issued } from '../../support/pki.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

/** Faults of all decisions. */
const codes: (string | undefined)[] = [];

const telemetry: Telemetry = { ...NULL_TELEMETRY, decided: (_facts, _verdict, code) => void codes.push(code) };

/** A prepared sidecar on free ports of loopback, with its own certificate from files. */
async function prepared(context: TestContext, authority: Authority, own: Issued): Promise<Sidecar> {
  const folder = await tempFolder(context);
  await writeFiles(folder, {
    'own.pem': own.chainPem,
    'own.key': own.keyPem,
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
  const sidecar = new Sidecar(config.value, createObserver(telemetry, NULL_LOG, { id: 'test', version: '0' }));
  context.after(() => sidecar.stop(0));
  await sidecar.prepare();
  return sidecar;
}

test('a sidecar that is stopped while it is about to open its listeners opens none', async (context) => {
  const authority = createAuthority();
  const sidecar = await prepared(context, authority, authority.issue());
  const opened = sidecar.open();
  assert.equal(await sidecar.stop(0), 0);
  assert.equal(await opened, undefined);
});

test('an identity from files is used until its own expiry and never beyond: connections end with it, and none is let in', async (context) => {
  const authority = createAuthority();
  const own = authority.issue({ notAfter: new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 4_000) });
  const sidecar = await prepared(context, authority, own);
  const bound = await sidecar.open();
  const peer = authority.issue({ id: 'spiffe://example.org/peer' });
  const join = (): TLSSocket => {
    const socket = connect({
      port: bound?.inbound[0]?.port,
      cert: peer.chainPem,
      key: peer.keyPem,
      rejectUnauthorized: false,
    });
    return socket.on('error', () => undefined).resume();
  };
  codes.length = 0;
  const open = join();
  await once(open, 'secureConnect');
  assert.ok(!open.destroyed);
  await once(open, 'close');
  assert.ok(Date.now() >= own.notAfter.getTime());
  await until('the record of its end', () => codes.length === 1);
  await once(join(), 'close');
  await until('the record of the second', () => codes.length === 2);
  assert.deepEqual(codes, ['identity_unavailable', 'identity_unavailable']);
});
