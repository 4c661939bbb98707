import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { FaultCode } from '../../../src/core/model/faults.ts';
import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';
import { FakeExchange, grpcHead } from '../../support/fake-exchange.ts';
import { FakeGateWorld, FakePolicy } from '../../support/fake-gate-world.ts';

const toJson = (message: Uint8Array): unknown => ({ length: message.length });
const DESCRIPTORS = { methods: new Map([['/a.B/C', { clientStreaming: false, toJson }]]) };

/** A gRPC message whose prefix says `length`. */
function message(bytes: number, length = bytes): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, Buffer.alloc(bytes)]);
}

function worldOf(mode: 'enforce' | 'shadow'): { readonly world: FakeGateWorld; readonly policy: FakePolicy } {
  const limits = { ...DEFAULT_LIMITS, inspectedBodyBytes: 105 };
  const world = new FakeGateWorld({ mode, limits });
  const policy = new FakePolicy(true, { parsedBody: true });
  world.policy = policy;
  world.descriptors = DESCRIPTORS;
  return { world, policy };
}

const BROKEN: readonly (readonly [title: string, body: Buffer, code: FaultCode, grpc: number])[] = [
  ['longer than may be inspected', message(101), 'body_too_large', 8],
  ['that claims 4 GiB', message(200, 0xffffffff), 'body_too_large', 8],
  ['that ends before its length', message(7, 8), 'body_malformed', 3],
];

describe('the first message of a gRPC call that policy reads', () => {
  test('is read up to the limit', () => {
    const { world, policy } = worldOf('enforce');
    world.gate.exchange(new FakeExchange(grpcHead('/a.B/C'), { body: Buffer.concat([message(100), message(1)]) }));
    assert.deepEqual(policy.asked[0]?.parsed_body, { length: 100 });
    assert.equal(world.forwarder.permits.length, 1);
  });

  for (const [title, body, code, grpc] of BROKEN) {
    test(`${title}: ${code}, and no policy is asked without it`, () => {
      const { world, policy } = worldOf('enforce');
      const exchange = new FakeExchange(grpcHead('/a.B/C'), { body });
      world.gate.exchange(exchange);
      assert.equal(exchange.answer?.grpcStatus, grpc);
      assert.equal(world.journal.records[0]?.sallyport.fault, code);
      assert.deepEqual([policy.asked.length, world.forwarder.permits.length], [0, 0]);
    });

    test(`${title} passes in shadow mode, where policy sees that it was cut off`, () => {
      const { world, policy } = worldOf('shadow');
      world.gate.exchange(new FakeExchange(grpcHead('/a.B/C'), { body }));
      assert.deepEqual([policy.asked[0]?.parsed_body, policy.asked[0]?.truncated_body], [null, true]);
      assert.equal(world.forwarder.permits.length, 1);
      const record = world.journal.records[0]?.sallyport;
      assert.deepEqual([record?.verdict, record?.fault], ['would-deny', code]);
    });
  }
});
