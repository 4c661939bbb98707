import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { failedReview } from '../../../src/io/kube/failed-review.ts';
import { until } from '../../support/until.ts';
import { startWebhook } from '../../support/webhook-caller.ts';

const REVIEW = JSON.stringify({
  kind: 'AdmissionReview',
  request: { uid: 'c3f1-77', object: { secret: 'TOP SECRET' } },
});

/** The head of a review whose body has this many bytes. */
const head = (length: number) =>
  `POST /inject HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

/** All that comes on a connection until it ends. */
async function rest(socket: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  socket.on('data', (piece) => (text += String(piece)));
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

describe('what is answered', () => {
  test('the handler gets the text, the API server gets its answer', async (context) => {
    const webhook = await startWebhook(context);
    const { status, text, headers } = await webhook.post('{"ä":1}');
    assert.deepEqual([status, text], [200, '{"echo":{"ä":1}}']);
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['connection'], 'keep-alive');
    assert.deepEqual(webhook.outcomes, [{ kind: 'injected' }]);
  });

  const TYPES = ['application/json', 'Application/JSON; charset=utf-8', 'application/json;a=b;c="d"'];
  for (const type of TYPES) {
    test(`content-type ${type}`, async (context) => {
      const webhook = await startWebhook(context);
      assert.equal((await webhook.post('{}', { headers: { 'content-type': type } })).status, 200);
    });
  }

  const REFUSED = [
    [{ headers: { 'content-type': 'text/plain' } }, 415],
    [{ headers: { 'content-type': 'application/jsonx' } }, 415],
    [{ headers: { 'content-type': 'application/yaml' } }, 415],
    [{ headers: { 'content-encoding': 'gzip' } }, 415],
    [{ method: 'GET' }, 405],
    [{ method: 'PUT' }, 405],
    [{ path: '/' }, 404],
    [{ path: '/inject/' }, 404],
    [{ path: '/metrics' }, 404],
  ] as const;
  for (const [options, status] of REFUSED) {
    test(`${JSON.stringify(options)} is ${status}, and the handler is not asked`, async (context) => {
      const webhook = await startWebhook(context);
      webhook.answer = () => assert.fail('it was asked');
      const answer = await webhook.post('', options);
      assert.equal(answer.status, status);
      assert.match(answer.text, /^sallyport: /);
      assert.deepEqual(webhook.outcomes, [{ kind: 'malformed' }]);
      assert.equal(answer.headers['allow'], status === 405 ? 'POST' : undefined);
    });
  }

  test('the path that the configuration says, and no other', async (context) => {
    const webhook = await startWebhook(context, { path: '/admit' });
    assert.equal((await webhook.post('{}', { path: '/admit' })).status, 200);
    assert.equal((await webhook.post('{}', { path: '/inject' })).status, 404);
  });

  test('bytes that are no UTF-8', async (context) => {
    const webhook = await startWebhook(context);
    assert.equal((await webhook.post(Uint8Array.of(0x22, 0xff, 0x22))).status, 400);
  });

  test('what the handler calls malformed', async (context) => {
    const webhook = await startWebhook(context);
    webhook.answer = () => ({ kind: 'malformed', detail: 'no AdmissionReview' });
    const { status, text } = await webhook.post('[]');
    assert.deepEqual([status, text], [400, 'sallyport: no AdmissionReview\n']);
    assert.deepEqual(webhook.outcomes, [{ kind: 'malformed' }]);
  });

  test('a refusal is told by its reasons', async (context) => {
    const webhook = await startWebhook(context);
    const outcome = { kind: 'refused', reasons: ['name_taken', 'uid_taken'] } as const;
    webhook.answer = () => ({ kind: 'answered', text: '{}', outcome });
    await webhook.post(REVIEW);
    assert.deepEqual(webhook.outcomes, [outcome]);
  });
});

function throwing(): never {
  throw new Error('cannot do that to TOP SECRET');
}

describe('a handler that fails keeps the pod out', () => {
  for (const [title, answer] of [
    ['throws', throwing],
    ['rejects', () => Promise.reject(new TypeError('TOP SECRET'))],
  ] as const) {
    test(`it ${title}: an AdmissionReview says no, with code 500`, async (context) => {
      const webhook = await startWebhook(context);
      webhook.answer = answer;
      const { status, text } = await webhook.post(REVIEW);
      assert.equal(status, 200);
      const { response } = JSON.parse(text) as {
        response: { uid: string; allowed: boolean; status: { code: number } };
      };
      assert.deepEqual([response.uid, response.allowed, response.status.code], ['c3f1-77', false, 500]);
      assert.deepEqual(webhook.outcomes, [{ kind: 'failed' }]);
      assert.equal(webhook.errors.length, 1);
      assert.ok(!`${text}${webhook.errors.join()}`.includes('SECRET'), webhook.errors.join());
    });
  }

  test('without a uid: HTTP 500', async (context) => {
    const webhook = await startWebhook(context);
    webhook.answer = throwing;
    assert.equal((await webhook.post('{"request":{}}')).status, 500);
    assert.deepEqual(webhook.outcomes, [{ kind: 'failed' }]);
  });

  test('it takes too long', async (context) => {
    const webhook = await startWebhook(context, { answerMs: 1_000 });
    webhook.answer = () => new Promise(() => undefined);
    const answer = webhook.post(REVIEW);
    await until('the handler', () => webhook.clock.timers === 1);
    webhook.clock.advance(1_000);
    assert.match((await answer).text, /"allowed":false/);
    assert.match(webhook.errors.join(), /AnswerTimeout/);
  });

  test('property: a failed review is for a uid as Kubernetes makes them, or there is none', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.string().map((uid) => JSON.stringify({ request: { uid } })),
        ),
        (text) => {
          const review = failedReview(text);
          if (review === undefined) return;
          const { response } = JSON.parse(review) as { response: { uid: string; allowed: boolean } };
          assert.match(response.uid, /^[0-9A-Za-z-]+$/);
          assert.equal(response.allowed, false);
        },
      ),
    );
  });
});

describe('bounds', () => {
  test('a body that says it is too large, and one that is: 413, and the connection ends', async (context) => {
    const webhook = await startWebhook(context, { bodyBytes: 1_000 });
    assert.equal((await webhook.post(`"${'x'.repeat(998)}"`)).status, 200);
    const said = await webhook.post(`"${'x'.repeat(999)}"`);
    assert.equal(said.status, 413);
    const socket = await webhook.raw();
    socket.write(
      'POST /inject HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    socket.write(`7d0\r\n${'x'.repeat(2_000)}\r\n`);
    const text = await rest(socket);
    assert.match(text, /^HTTP\/1\.1 413 /);
    assert.match(text, /connection: close/i);
    assert.deepEqual(
      webhook.outcomes.map(({ kind }) => kind),
      ['injected', 'malformed', 'malformed'],
    );
  });

  test('all bodies together: 429 for the largest, and there is room again afterwards', async (context) => {
    const webhook = await startWebhook(context, { roomBytes: 1_000 });
    const slow = await webhook.raw();
    slow.write(`${head(800)}${'x'.repeat(400)}`);
    const refused = await until('no room', async () => {
      const answer = await webhook.post(`"${'x'.repeat(700)}"`);
      return answer.status === 429 && answer;
    });
    assert.equal(refused.headers['retry-after'], '1');
    assert.deepEqual(webhook.outcomes.at(-1), { kind: 'failed' });
    slow.destroy();
    await until('room', async () => (await webhook.post(`"${'x'.repeat(700)}"`)).status === 200);
  });

  test('whoever sends large bodies slowly does not keep smaller ones out', async (context) => {
    const webhook = await startWebhook(context, { roomBytes: 1_000 });
    const slow = await webhook.raw();
    slow.write(`${head(995)}${'x'.repeat(994)}`);
    const end = rest(slow);
    await until('the large one to be cut for a smaller one', async () => {
      assert.equal((await webhook.post(`"${'x'.repeat(300)}"`)).status, 200);
      return slow.destroyed;
    });
    await end;
    assert.equal((await webhook.post(`"${'x'.repeat(900)}"`)).status, 200, 'what it held is given back, once');
    assert.equal((await webhook.post(`"${'x'.repeat(1_000)}"`)).status, 429);
  });

  test('a slow head and a slow body are cut', async (context) => {
    const webhook = await startWebhook(context, { headMs: 200, requestMs: 400 });
    const head = await webhook.raw();
    head.write('POST /inject HTTP/1.1\r\nHost');
    assert.match(await rest(head), /^HTTP\/1\.1 408 /);
    const body = await webhook.raw();
    body.write('POST /inject HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{');
    await rest(body);
    assert.equal((await webhook.post('{}')).status, 200);
  });

  test('more connections than are allowed', async (context) => {
    const webhook = await startWebhook(context, { connections: 2 });
    const [one, other] = [await webhook.raw(), await webhook.raw()];
    await assert.rejects(webhook.post('{}'));
    one.destroy();
    other.destroy();
    await until('room', async () => (await webhook.post('{}').catch(() => undefined))?.status === 200);
  });

  test('whoever holds every connection does not keep the API server out', async (context) => {
    const webhook = await startWebhook(context, { connections: 2 });
    const held = [await webhook.raw({ localAddress: '127.0.0.2' }), await webhook.raw({ localAddress: '127.0.0.2' })];
    assert.equal((await webhook.post('{}')).status, 200);
    await until('the oldest to be closed', () => held[0]?.destroyed);
    assert.equal(held[1]?.destroyed, false);
  });

  test('a head that is too large, and what is no HTTP', async (context) => {
    const webhook = await startWebhook(context);
    const large = await webhook.raw();
    large.write(`POST /inject HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`);
    assert.match(await rest(large), /^HTTP\/1\.1 431 /);
    const nonsense = await webhook.raw();
    nonsense.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    assert.match(await rest(nonsense), /^HTTP\/1\.1 400 /);
  });
});

describe('TLS', () => {
  test('without a certificate nobody is served; with the first one it is ready', async (context) => {
    const webhook = await startWebhook(context, { certificate: false });
    assert.equal(webhook.server.ready, false);
    await assert.rejects(webhook.post('{}'));
    webhook.serve();
    assert.equal(webhook.server.ready, true);
    assert.equal((await webhook.post('{}')).status, 200);
  });

  test('a new certificate is for new connections; those that are open go on', async (context) => {
    const webhook = await startWebhook(context);
    const socket = await webhook.raw();
    const before = socket.getPeerCertificate().serialNumber;
    const next = webhook.issue();
    webhook.serve(next);
    const other = await webhook.raw();
    assert.notEqual(other.getPeerCertificate().serialNumber, before);
    socket.write(
      'POST /inject HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    );
    assert.match(await rest(socket), /^HTTP\/1\.1 200 /);
    other.destroy();
  });

  test('a certificate that cannot be used leaves the last one in force', async (context) => {
    const webhook = await startWebhook(context);
    const [one, other] = [webhook.issue(), webhook.issue()];
    webhook.serve({ ...one, keyPem: other.keyPem });
    assert.match(webhook.errors.join(), /the last one stays/);
    assert.ok(!webhook.errors.join().includes('PRIVATE'));
    assert.equal((await webhook.post('{}')).status, 200);
  });

  test('TLS 1.2 is served, 1.1 is not; HTTP/1.1 whatever else is offered', async (context) => {
    const webhook = await startWebhook(context);
    const old = await webhook.raw({ maxVersion: 'TLSv1.2', ALPNProtocols: ['h2', 'http/1.1'] });
    assert.deepEqual([old.getProtocol(), old.alpnProtocol], ['TLSv1.2', 'http/1.1']);
    old.destroy();
    const now = await webhook.raw();
    assert.equal(now.getProtocol(), 'TLSv1.3');
    now.destroy();
    await assert.rejects(webhook.raw({ maxVersion: 'TLSv1.1' }));
  });
});

describe('a stop', () => {
  test('not ready at once, serving for a while with each connection closed after its answer, then gone', async (context) => {
    const webhook = await startWebhook(context);
    assert.equal((await webhook.post('{}')).headers['connection'], 'keep-alive');
    const stopped = webhook.server.stop(10_000, 5_000);
    assert.equal(webhook.server.ready, false);
    const answer = await webhook.post('{}');
    assert.deepEqual([answer.status, answer.headers['connection']], [200, 'close']);
    webhook.clock.advance(10_000);
    await stopped;
    await assert.rejects(webhook.post('{}'), /ECONNREFUSED/);
  });

  test('what is under way is finished; who is too slow is cut', async (context) => {
    const webhook = await startWebhook(context);
    const gate = Promise.withResolvers<undefined>();
    let asked = 0;
    webhook.answer = async () => {
      asked += 1;
      await gate.promise;
      return { kind: 'answered', text: '{}', outcome: { kind: 'skipped' } };
    };
    const answer = webhook.post(REVIEW);
    await until('the handler', () => asked === 1);
    const idle = await webhook.raw();
    idle.write('POST /inject HTTP/1.1\r\n');
    const cut = rest(idle);
    const stopped = webhook.server.stop(0, 5_000);
    gate.resolve(undefined);
    assert.equal((await answer).status, 200);
    webhook.clock.advance(5_000);
    await stopped;
    await cut;
  });
});
