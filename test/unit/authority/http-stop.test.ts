import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { serveAuthority } from '../../support/served-authority.ts';
import { until } from '../../support/until.ts';

/** A connection that says nothing: no handshake comes. */
async function silent(context: TestContext, port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  context.after(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

describe('a stop', { timeout: 20_000 }, () => {
  test('ends connections whose handshake is not over, which no stranger can draw out', async (context) => {
    const limits = { handshakeTimeoutMs: 600_000 };
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits });
    const socket = await silent(context, served.port);
    await until('the service has it', () => served.service.figures().connections === 1);
    const closed = once(socket, 'close');
    await served.service.stop(10);
    await closed;
    await until('nothing is open', () => served.service.figures().connections === 0);
  });

  test('ends connections that have shaken hands and then say nothing', async (context) => {
    const limits = { headTimeoutMs: 600_000 };
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits });
    const socket = connectTls({ host: '127.0.0.1', port: served.port, rejectUnauthorized: false });
    context.after(() => socket.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    await served.service.stop(10);
    await until('nothing is open', () => served.service.figures().connections === 0);
  });

  test('ends those of the plain listener too', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { plainCrl: true });
    await silent(context, served.crlPort ?? 0);
    await until('the service has it', () => served.service.figures().connections === 1);
    await served.service.stop(10);
    await until('nothing is open', () => served.service.figures().connections === 0);
  });
});
