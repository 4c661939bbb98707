import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';
import protobuf from 'protobufjs';

import { healthRequest, saysServing } from '../../../src/io/probes/grpc-health.ts';

const { root } = protobuf.parse(`
  syntax = "proto3";
  message HealthCheckRequest { string service = 1; }
  message HealthCheckResponse { int32 status = 1; }
`);
const Request = root.lookupType('HealthCheckRequest');

/** One message of a stream. */
function framed(message: Uint8Array, flag = 0): Uint8Array {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

describe('grpc.health.v1.Health/Check', () => {
  test('the request is the one that a protobuf library reads', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (service) => {
        const bytes = Buffer.from(healthRequest(service));
        assert.deepEqual([bytes[0], bytes.readUInt32BE(1)], [0, bytes.length - 5]);
        assert.equal(
          (Request.decode(bytes.subarray(5)).toJSON()['service'] as string | undefined) ?? '',
          service.toWellFormed(),
        );
      }),
    );
  });

  test('SERVING is 1, and nothing else is', () => {
    for (const status of [0, 1, 2, 3, 128, 129, 257])
      assert.equal(
        saysServing(framed(protobuf.Writer.create().uint32(8).int32(status).finish())),
        status === 1,
        String(status),
      );
    assert.equal(saysServing(framed(new Uint8Array())), false);
  });

  test('unknown fields are passed over, and the last status counts', () => {
    const unknown = protobuf.Writer.create()
      .uint32(0x12)
      .string('x')
      .uint32(0x1d)
      .fixed32(1)
      .uint32(0x21)
      .fixed64(1)
      .uint32(0x28)
      .uint32(7);
    assert.equal(saysServing(framed(unknown.uint32(8).int32(1).finish())), true);
    assert.equal(saysServing(framed(protobuf.Writer.create().uint32(8).int32(1).uint32(8).int32(2).finish())), false);
  });

  const broken: Readonly<Record<string, Uint8Array>> = {
    'nothing at all': new Uint8Array(),
    'a prefix alone that promises more': Uint8Array.from([0, 0, 0, 0, 2]),
    'a message shorter than its prefix says': Uint8Array.from([0, 0, 0, 0, 3, 8, 1]),
    'two messages': Buffer.concat([framed(Uint8Array.from([8, 1])), framed(Uint8Array.from([8, 1]))]),
    'a compressed message': framed(Uint8Array.from([8, 1]), 1),
    'a number without an end': framed(Uint8Array.from([8, 0x81])),
    'a number of eleven bytes': framed(Uint8Array.from([8, ...Array<number>(10).fill(0x80), 1])),
    'a text longer than the message': framed(Uint8Array.from([8, 1, 0x12, 5, 65])),
    'a fixed number cut short': framed(Uint8Array.from([8, 1, 0x1d, 0])),
    'a group': framed(Uint8Array.from([8, 1, 0x0b])),
    'field 0': framed(Uint8Array.from([0, 1, 8, 1])),
  };
  for (const [what, bytes] of Object.entries(broken))
    test(`${what} is no SERVING`, () => assert.equal(saysServing(bytes), false));

  test('whatever the bytes are, there is an answer, and it is yes only where a protobuf library says 1', () => {
    const Response = root.lookupType('HealthCheckResponse');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (message) => {
        if (!saysServing(framed(message))) return;
        assert.equal(Response.decode(message).toJSON()['status'], 1);
      }),
      { numRuns: 2_000 },
    );
  });
});
