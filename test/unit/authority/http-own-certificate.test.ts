import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { parseCertificate } from '../../../src/core/identity/certificate.ts';
import { createAuthorityService } from '../../../src/io/authority/http-service.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { createAuthority } from '../../support/pki.ts';
import { callHttps, serveAuthority } from '../../support/served-authority.ts';
import { until } from '../../support/until.ts';

describe('the certificate of the authority itself', () => {
  test('a new one is shown to new connections without dropping those that are open', async (context) => {
    const clock = createDrivenClock();
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { timer: clock.timer });
    const path = `/v1/trust?revision=${served.authority.trust().revision}&wait=60`;
    const open = callHttps({ port: served.port, path });
    await until('the long poll', () => served.service.figures().waiting === 1);
    const before = await shownSerial(served.port);
    served.authority.renewOwn();
    clock.advance(500);
    const after = await shownSerial(served.port);
    assert.notEqual(after, before);
    assert.equal(after, served.authority.own().svid.serial);
    served.authority.publish();
    assert.equal((await open).status, 200);
  });

  test('one that cannot be used is reported, and the last one stays in use', async (context) => {
    const clock = createDrivenClock();
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { timer: clock.timer });
    const before = await shownSerial(served.port);
    served.authority.showAsOwn({ ...createAuthority().issue(), privateKey: createKeyPair().privateKey });
    clock.advance(500);
    assert.equal(served.lines.filter((line) => line.level === 'error').length, 1);
    assert.equal(await shownSerial(served.port), before);
  });

  test('an address that cannot be had is told, and nothing stays open', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    const timers = createDrivenClock();
    const second = createAuthorityService(
      { listen: { host: '127.0.0.1', port: 0 }, crlListen: { host: '127.0.0.1', port: served.port } },
      {
        authority: served.authority,
        formatBundle: () => '',
        clock: timers,
        timer: timers.timer,
        log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      },
    );
    await assert.rejects(second.start(), /EADDRINUSE/);
    assert.equal(timers.timers, 0);
  });
});

async function shownSerial(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      const der = socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0);
      const leaf = parseCertificate(der);
      socket.destroy();
      if (leaf.ok) resolve(leaf.value.serial);
      else reject(new Error(leaf.error.detail));
    });
    socket.on('error', reject);
  });
}
