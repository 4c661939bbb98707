import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { type Report, startEchoUpstream } from '../../support/echo-upstream.ts';
import { Http1Reader, type Http1Message } from '../../support/http1-reader.ts';
import { connectRaw } from '../../support/raw-http1-peer.ts';

function read(...pieces: readonly string[]): Http1Message[] {
  const messages: Http1Message[] = [];
  const reader = new Http1Reader((message) => messages.push(message));
  for (const piece of pieces) reader.push(Buffer.from(piece, 'latin1'));
  return messages;
}

test('the echo upstream reports what it received byte for byte', async () => {
  const upstream = await startEchoUpstream();
  const peer = await connectRaw({ port: upstream.port });
  peer.send(
    'POST /%2e?a=\xe9 HTTP/1.1\r\nHost: a\r\nx-A:  b \r\nX-a: c\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n',
  );
  const report = JSON.parse(Buffer.from((await peer.response()).body, 'latin1').toString()) as Report;
  assert.deepEqual(report, {
    protocol: 'http/1.1',
    requestLine: 'POST /%2e?a=\xe9 HTTP/1.1',
    headers: ['Host', 'a', 'x-A', 'b', 'X-a', 'c', 'Transfer-Encoding', 'chunked'],
    trailers: ['T', '1'],
    bodySha256: createHash('sha256').update('abc').digest('hex'),
    bodyBytes: 3,
  });
  peer.close();
  await upstream.close();
});

test('the reader splits what comes together and joins what comes in pieces', () => {
  const first = 'GET /1 HTTP/1.1\r\nA: 1\r\n\r\n';
  const second = 'POST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz';
  assert.deepEqual(
    read(first + second).map(({ requestLine, body }) => [requestLine, body.toString()]),
    [
      ['GET /1 HTTP/1.1', ''],
      ['POST /2 HTTP/1.1', 'xyz'],
    ],
  );
  assert.equal(read(...`${first}${second}`.match(/[^]/g)!).length, 2);
});

for (const [name, text] of [
  ['two framings', 'POST / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['two lengths', 'POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n'],
  ['a length that is no number', 'POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx'],
  ['another coding', 'POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['a chunk size with an extension', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n'],
  ['a line that is no field', 'GET / HTTP/1.1\r\nnothing\r\n\r\n'],
] as const) {
  test(`the reader corrects nothing: ${name}`, () => {
    assert.throws(() => read(text));
  });
}
