import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';

import type { FaultCode } from '../../src/core/model/faults.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import {
  answer,
  ask,
  connectHttp1,
  connectHttp2,
  get,
  grpcHead,
  grpcMessage,
  post,
} from '../support/system-clients.ts';
import { startSystem } from '../support/system.ts';

const RULES = `package test.authz

body := input.parsed_body

default decision := false

decision if input.attributes.request.http.method == "GET"

decision if body.amount <= 10

decision if to_number(body.price[0]) <= 10

decision if body.note[0].text == "fine"

decision if body.userName == "ada"

decision if input.parsed_path[1] == "Upload"
`;

const PROTO = `
syntax = "proto3";
package test;
message Order { string user_name = 1; int32 count = 2; }
service Shop {
  rpc Buy (Order) returns (Order);
  rpc Upload (stream Order) returns (Order);
}
`;
const { root } = protobuf.parse(PROTO, { keepCase: true });
root.resolveAll();
const Order = root.lookupType('test.Order');
const orderOf = (user: string): Buffer =>
  Buffer.from(Order.encode(Order.create({ user_name: user, count: 1 })).finish());

const LIMIT = 1_024;
const JSON_TYPE = 'application/json';
const FORM = 'application/x-www-form-urlencoded';
const PARTS = 'multipart/form-data; boundary=cut';

const part = (text: string): string =>
  `--cut\r\nContent-Disposition: form-data; name="note"\r\nContent-Type: application/json\r\n\r\n{"text":"${text}"}\r\n--cut--\r\n`;
const jsonOf = (length: number): string => {
  const empty = '{"amount":1,"fill":""}';
  return `{"amount":1,"fill":"${'x'.repeat(length - empty.length)}"}`;
};

type Row = readonly [title: string, type: string, body: string | Buffer, status: number, fault: FaultCode | undefined];

const ROWS: readonly Row[] = [
  ['JSON that policy allows', JSON_TYPE, '{"amount": 3}', 200, undefined],
  ['JSON that policy denies', JSON_TYPE, '{"amount": 30}', 403, 'policy_denied'],
  ['JSON with a charset', 'application/json; charset=utf-8', '{"amount": 3}', 200, undefined],
  ['JSON of exactly the limit', JSON_TYPE, jsonOf(LIMIT), 200, undefined],
  ['JSON one byte over the limit', JSON_TYPE, jsonOf(LIMIT + 1), 413, 'body_too_large'],
  ['JSON that breaks off', JSON_TYPE, '{"amount": 3', 400, 'body_malformed'],
  ['JSON with more behind it', JSON_TYPE, '{"amount": 3} {"amount": 4}', 400, 'body_malformed'],
  [
    'JSON that is no UTF-8',
    JSON_TYPE,
    Buffer.from('7b22616d6f756e74223a332c2278223a22ff227d', 'hex'),
    400,
    'body_malformed',
  ],
  ['JSON nested 500 deep', JSON_TYPE, `${'['.repeat(500)}${']'.repeat(500)}`, 400, 'body_malformed'],
  ['a form that policy allows', FORM, 'price=3&x=%20', 200, undefined],
  ['a form that policy denies', FORM, 'price=30&price=3', 403, 'policy_denied'],
  ['a form with a broken escape', FORM, 'price=%zz', 400, 'body_malformed'],
  ['multipart that policy allows', PARTS, part('fine'), 200, undefined],
  ['multipart that policy denies', PARTS, part('rude'), 403, 'policy_denied'],
  ['multipart without its end', PARTS, part('fine').slice(0, -6), 400, 'body_malformed'],
  ['a type that has no reading', 'text/plain', '{"amount": 3}', 403, 'policy_denied'],
];

test(
  'policy reads bodies within a limit, and the agent gets them byte for byte',
  { timeout: 90_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `auto://127.0.0.1:${upstream.port}`,
      policy: RULES,
      policyKeys: { protoDescriptors: 'shop.pb' },
      limits: { inspectedBodyBytes: `${LIMIT}B` },
      files: { 'shop.pb': descriptor.FileDescriptorSet.encode(root.toDescriptor('proto3')).finish() },
    });
    const { sidecar } = system;
    const bystander = await connectHttp1(context, system);

    for (const [title, type, body, status, code] of ROWS) {
      await context.test(`${title}: ${code ?? 'allow'}`, { timeout: 20_000 }, async (context) => {
        const before = { records: sidecar.records().length, received: upstream.received.length };
        const peer = await connectHttp1(context, system);
        const response = await post(peer, '/echo/pay', type, body);
        assert.equal(response.status, status);
        const [record, ...more] = await sidecar.recordsFrom(before.records, 1);
        assert.equal(record?.sallyport.fault, code, record?.sallyport.detail ?? '');
        assert.deepEqual(more, []);
        const received = upstream.received.slice(before.received).map((each) => each.body);
        assert.deepEqual(received, status === 200 ? [Buffer.from(body)] : [], 'all of it or none');
        if (status === 200) assert.equal(response.body, Buffer.from(body).toString('latin1'));
        else assert.equal(response.body.includes(code ?? ''), false, 'the answer does not say why');
        assert.equal((await get(bystander, '/')).status, 200);
        await sidecar.recordsFrom(before.records, 2);
      });
    }

    await context.test('a chunked body in single bytes is read as one', async () => {
      const before = upstream.received.length;
      const records = sidecar.records().length;
      const peer = await connectHttp1(context, system);
      peer.send(
        `POST /echo/slow HTTP/1.1\r\nHost: agent.test\r\nContent-Type: ${JSON_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      for (const byte of '{"amount": 3}') peer.send(`1\r\n${byte}\r\n`);
      peer.send('0\r\n\r\n');
      const response = await peer.response('POST');
      assert.deepEqual([response.status, response.body], [200, '{"amount": 3}']);
      assert.equal(upstream.received.length, before + 1);
      await sidecar.recordsFrom(records, 1);
    });

    await context.test('gRPC: the message of a unary call decides; one that is none is refused', async () => {
      const session = await connectHttp2(context, system);
      const buy = async (message: Buffer) => {
        const stream = ask(session, grpcHead('/test.Shop/Buy'), false);
        stream.end(message);
        return answer(stream);
      };
      const before = sidecar.records().length;
      const allowed = await buy(grpcMessage(orderOf('ada')));
      assert.deepEqual([allowed.body, allowed.trailers['grpc-status']], [grpcMessage(orderOf('ada')), '0']);
      const denied = await buy(grpcMessage(orderOf('eve')));
      assert.deepEqual([denied.headers[':status'], denied.headers['grpc-status']], [200, '7']);
      const malformed = await buy(grpcMessage(Buffer.from('0aff', 'hex')));
      assert.equal(malformed.headers['grpc-status'], '3');
      const tooLarge = await buy(grpcMessage(orderOf('a'.repeat(LIMIT))));
      assert.equal(tooLarge.headers['grpc-status'], '8');
      const records = await sidecar.recordsFrom(before, 4);
      assert.deepEqual(
        records.map(({ sallyport }) => sallyport.fault),
        [undefined, 'policy_denied', 'body_malformed', 'body_too_large'],
      );
      assert.ok(records.every((record) => record.erased === undefined || record.erased.includes('/input/parsed_body')));
    });

    await context.test('gRPC: a caller that streams is not held back', async () => {
      const session = await connectHttp2(context, system);
      const stream = ask(session, grpcHead('/test.Shop/Upload'), false);
      stream.write(grpcMessage(orderOf('eve')));
      const [first] = (await once(stream, 'data')) as [Buffer];
      assert.deepEqual(first, grpcMessage(orderOf('eve')), 'the first message is back before the second was sent');
      stream.end();
      await answer(stream);
    });
  },
);
