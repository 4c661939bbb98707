import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import fc from 'fast-check';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';

import { bodyReading, readBody } from '../../../src/core/request/body.ts';
import { loadDescriptors } from '../../../src/core/request/descriptors.ts';
import { enoughForGrpc, grpcBodyKind } from '../../../src/core/request/grpc-body.ts';
import type { ProtoDescriptors } from '../../../src/core/request/grpc-body.ts';
import { MAX_JSON_KEYS } from '../../../src/core/request/json-text.ts';

const SOURCE = `
syntax = "proto3";
package demo.v1;
enum Colour { COLOUR_UNKNOWN = 0; RED = 1; }
message Inner { string text = 1; float ratio = 2; Inner next = 3; }
message Request {
  string user_name = 1;
  int32 count = 2;
  int64 big = 3;
  uint64 huge = 4;
  Colour colour = 5;
  bytes blob = 6;
  float ratio = 7;
  double exact = 8;
  bool flag = 9;
  repeated string tags = 10;
  repeated float ratios = 11;
  map<string, Inner> by_name = 12;
  map<int64, string> by_id = 13;
  Inner inner = 14;
  oneof choice { string left = 15; int32 right = 16; }
  repeated Colour colours = 17;
}
message Reply { string text = 1; }
service Echo {
  rpc Say (Request) returns (Reply);
  rpc Watch (Request) returns (stream Reply);
  rpc Upload (stream Request) returns (Reply);
  rpc Chat (stream Request) returns (stream Reply);
}
`;

const { root } = protobuf.parse(SOURCE, { keepCase: true });
root.resolveAll();
const Request = root.lookupType('demo.v1.Request');

let descriptors: ProtoDescriptors;

before(async () => {
  const set = descriptor.FileDescriptorSet.encode(root.toDescriptor('proto3')).finish();
  const loaded = await loadDescriptors(set);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.error);
  descriptors = loaded.value;
});

function frame(message: Uint8Array, flag = 0, length = message.length): Uint8Array {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

function encoded(fields: object): Uint8Array {
  return Request.encode(Request.fromObject(fields)).finish();
}

function call(path = '/demo.v1.Echo/Say', style: 'grpc' | 'http' = 'grpc') {
  return { headers: ['content-type', 'application/grpc'], path, style } as const;
}

type Read = ReturnType<typeof readBody>;

function read(body: Uint8Array, path?: string, options: Parameters<typeof readBody>[3] = { descriptors }): Read {
  return readBody(call(path), body, false, options);
}

function parsed(fields: object): unknown {
  const result = read(frame(encoded(fields)));
  assert.ok(result.ok, result.ok ? '' : result.error.detail);
  assert.equal(result.value.truncated, false);
  return result.value.parsed;
}

const UNREAD = { ok: true, value: { parsed: null, truncated: false } };
const TRUNCATED = { ok: true, value: { parsed: null, truncated: true } };

function malformed(result: Read): string {
  assert.ok(!result.ok, 'accepted');
  assert.equal(result.error.code, 'body_malformed');
  return result.error.detail;
}

describe('ProtoJSON, as OPA-Envoy shows a message to policies', () => {
  const cases: readonly [string, object, unknown][] = [
    ['names in lower camel case', { user_name: 'a' }, { userName: 'a' }],
    ['32-bit integers as numbers', { count: -7 }, { count: -7 }],
    [
      '64-bit integers as strings',
      { big: '-9223372036854775808', huge: '18446744073709551615' },
      { big: '-9223372036854775808', huge: '18446744073709551615' },
    ],
    ['enums by name', { colour: 1, colours: [1, 0] }, { colour: 'RED', colours: ['RED', 'COLOUR_UNKNOWN'] }],
    ['unknown enum values as numbers', { colour: 9 }, { colour: 9 }],
    ['bytes in base64', { blob: Buffer.from([251, 255]) }, { blob: '+/8=' }],
    [
      'floats in the fewest digits',
      { ratio: 0.1, ratios: [0.1, 16777216, -2.5], inner: { ratio: 3.4028235e38 } },
      { ratio: 0.1, ratios: [0.1, 16777216, -2.5], inner: { ratio: 3.4028235e38 } },
    ],
    ['floats in maps', { by_name: { a: { ratio: 0.7 } } }, { byName: { a: { ratio: 0.7 } } }],
    ['doubles as they are', { exact: 0.30000000000000004 }, { exact: 0.30000000000000004 }],
    [
      'what is no number as a string',
      { exact: Number.NaN, ratio: Number.POSITIVE_INFINITY },
      { exact: 'NaN', ratio: 'Infinity' },
    ],
    ['default values left out', { user_name: '', count: 0, flag: false, tags: [], colour: 0 }, {}],
    ['but not in a oneof', { left: '' }, { left: '' }],
    ['maps as objects', { by_id: { 5: 'x' }, by_name: { b: {} } }, { byId: { 5: 'x' }, byName: { b: {} } }],
    ['nothing', {}, {}],
  ];
  for (const [why, fields, json] of cases) test(why, () => assert.deepEqual(parsed(fields), json));

  test('the first message only', () => {
    const result = read(Buffer.concat([frame(encoded({ count: 1 })), frame(encoded({ count: 2 }))]));
    assert.deepEqual(result, { ok: true, value: { parsed: { count: 1 }, truncated: false } });
  });
  test('server-streaming calls too', () => {
    assert.deepEqual(read(frame(encoded({ count: 1 })), '/demo.v1.Echo/Watch'), {
      ok: true,
      value: { parsed: { count: 1 }, truncated: false },
    });
  });
  test('a map key __proto__ stays data', () => {
    const key = '__proto__';
    const entry = Buffer.concat([Buffer.from([10, key.length]), Buffer.from(key), Buffer.from([18, 3, 10, 1, 120])]);
    const message = Buffer.concat([Buffer.from([12 * 8 + 2, entry.length]), entry]);
    const result = read(frame(message));
    assert.ok(result.ok);
    assert.equal(JSON.stringify(result.value.parsed), '{"byName":{"__proto__":{"text":"x"}}}');
  });
});

describe('what has no reading', () => {
  test('no descriptor set', () => assert.deepEqual(read(frame(encoded({ count: 1 })), undefined, {}), UNREAD));
  test('no bytes', () => assert.deepEqual(read(new Uint8Array()), UNREAD));
  test('a compressed message', () => assert.deepEqual(read(frame(encoded({ count: 1 }), 1)), UNREAD));
  for (const path of [
    '/demo.v1.Echo/Nothing',
    '/demo.v1.Other/Say',
    '/Echo/Say',
    '/demo.v1.Echo/say',
    '/demo.v1.Request/Say',
    '/__proto__/constructor',
  ]) {
    test(`the unknown method ${path}`, () => assert.deepEqual(read(frame(encoded({ count: 1 })), path), UNREAD));
  }
  for (const method of ['Upload', 'Chat']) {
    test(`${method}: the caller streams`, () => {
      assert.deepEqual(read(frame(encoded({ count: 1 })), `/demo.v1.Echo/${method}`), UNREAD);
    });
  }
});

describe('truncated and malformed', () => {
  test('a message longer than what is held is truncated', () => {
    const message = encoded({ user_name: 'abc' });
    assert.deepEqual(read(frame(message, 0, message.length + 1)), TRUNCATED);
    assert.deepEqual(read(frame(message, 0, 0xffffffff)), TRUNCATED);
    assert.deepEqual(read(frame(message).subarray(0, 8)), TRUNCATED);
    assert.deepEqual(read(frame(new Uint8Array(), 0, 1)), TRUNCATED);
  });
  test('less than a prefix', () => {
    for (const length of [1, 4]) assert.match(malformed(read(new Uint8Array(length))), /prefix/);
  });
  test('a path that is not of two segments', () => {
    for (const path of ['/demo.v1.Echo', '/a/b/c', '/', '//b'])
      assert.match(malformed(read(frame(encoded({})), path)), /path/);
  });
  const broken: readonly [string, readonly number[]][] = [
    ['a field that ends early', [10, 200, 1, 97]],
    ['wire type 7', [15]],
    ['field number 0', [0, 0]],
    ['a varint that never ends', [16, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]],
    ['a string that is no UTF-8', [10, 1, 255]],
    ['an open group', [11]],
  ];
  for (const [why, bytes] of broken) {
    test(why, () => assert.notEqual(malformed(read(frame(Uint8Array.from(bytes)))), ''));
  }
  test('messages within messages are bounded', () => {
    let inner = Buffer.alloc(0);
    for (let depth = 0; depth < 200; depth++) inner = Buffer.concat([Buffer.from([26]), varint(inner.length), inner]);
    const message = Buffer.concat([Buffer.from([14 * 8 + 2]), varint(inner.length), inner]);
    assert.match(malformed(read(frame(message))), /depth/);
  });
  test('keys of a map are bounded', () => {
    const entries = Array.from({ length: MAX_JSON_KEYS + 1 }, (_, index) => [`k${index}`, {}] as const);
    assert.match(malformed(read(frame(encoded({ by_name: Object.fromEntries(entries) })))), /keys/);
    assert.ok(read(frame(encoded({ by_name: Object.fromEntries(entries.slice(1)) }))).ok);
  });
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

describe('how much of a body is collected', () => {
  test('the prefix, then what it says', () => {
    assert.equal(enoughForGrpc(new Uint8Array()), 5);
    assert.equal(enoughForGrpc(new Uint8Array(4)), 5);
    assert.equal(enoughForGrpc(frame(new Uint8Array(), 0, 0)), 5);
    assert.equal(enoughForGrpc(frame(new Uint8Array(), 0, 300)), 305);
    assert.equal(enoughForGrpc(frame(new Uint8Array(9), 0, 9)), 14);
    assert.equal(enoughForGrpc(frame(new Uint8Array(), 0, 0xffffffff)), 0xffffffff + 5);
  });
  test('nothing more of a compressed message', () => assert.equal(enoughForGrpc(frame(new Uint8Array(), 1, 300)), 5));
  test('the bytes may be a part of a larger buffer', () => {
    const whole = Buffer.concat([Buffer.from([9, 9, 9]), frame(new Uint8Array(), 0, 7)]);
    assert.equal(enoughForGrpc(whole.subarray(3)), 12);
  });
  test('the first message of calls whose caller sends one; never of calls whose caller streams', () => {
    const kinds = ['Say', 'Watch', 'Upload', 'Chat', 'Nothing'].map((method) =>
      grpcBodyKind(call(`/demo.v1.Echo/${method}`), descriptors),
    );
    assert.deepEqual(kinds, ['first-message', 'first-message', 'none', 'none', 'none']);
    assert.equal(grpcBodyKind(call(), undefined), 'none');
    assert.equal(bodyReading(call(), descriptors), 'first-message');
    assert.equal(bodyReading(call('/demo.v1.Echo/Chat'), descriptors), 'none');
    assert.equal(bodyReading(call(), undefined), 'none');
  });
  test('all of a body that is only framed like gRPC', () => {
    assert.equal(bodyReading(call('/demo.v1.Echo/Say', 'http'), descriptors), 'whole');
    assert.equal(bodyReading(call('/demo.v1.Echo/Chat', 'http'), descriptors), 'none');
  });
});

describe('descriptor sets', () => {
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(), /no service/],
    ['garbage', Buffer.from('not a descriptor set'), /not a usable descriptor set/],
    [
      'messages only',
      descriptor.FileDescriptorSet.encode(
        protobuf.parse('syntax="proto3"; package x; message A {}').root.toDescriptor('proto3'),
      ).finish(),
      /no service/,
    ],
    [
      'imports left out',
      descriptor.FileDescriptorSet.encode({
        file: [
          {
            name: 'a.proto',
            package: 'x',
            syntax: 'proto3',
            service: [{ name: 'S', method: [{ name: 'M', inputType: '.y.Missing', outputType: '.y.Missing' }] }],
          },
        ],
      }).finish(),
      /include_imports/,
    ],
  ];
  for (const [why, bytes, message] of cases) {
    test(why, async () => {
      const loaded = await loadDescriptors(bytes);
      assert.ok(!loaded.ok);
      assert.match(loaded.error, message);
    });
  }
});

test('property: bytes of any kind give a reading or a fault, never a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, framed) => {
      const result = read(framed ? frame(bytes) : bytes);
      if (!result.ok) assert.equal(result.error.code, 'body_malformed');
      else assert.doesNotThrow(() => JSON.stringify(result.value));
    }),
    { numRuns: 2000 },
  );
});
