import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import {
  readX509BundlesResponse,
  readX509SvidResponse,
  writeX509BundlesResponse,
  writeX509SvidResponse,
} from '../../../src/io/workload-api/messages.ts';
import { field, readFields } from '../../../src/io/workload-api/protobuf.ts';
import { readBundlesUpdate, readWorkloadUpdate } from '../../../src/io/workload-api/read-update.ts';
import { decodeBundles, decodeSvids, encodeBundles, encodeSvids } from '../../support/fake-workload-api/messages.ts';
import { within } from '../../support/within.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = fc.uint8Array({ maxLength: 40 });
const texts = fc.string({ unit: 'grapheme', maxLength: 20 });
const bundleMap = fc.dictionary(
  texts.filter((key) => key !== '__proto__'),
  bytes,
  { maxKeys: 4 },
);
const svid = fc.record({ spiffe_id: texts, x509_svid: bytes, x509_svid_key: bytes, bundle: bytes, hint: texts });
const svidsFields = fc.record({
  svids: fc.array(svid, { maxLength: 4 }),
  crl: fc.array(bytes, { maxLength: 3 }),
  federated_bundles: bundleMap,
});

/** Our reading of a message in the names of the other one's. */
function ours(message: Uint8Array) {
  const read = readX509SvidResponse(message);
  assert.ok(read.ok, read.ok ? '' : read.error);
  return {
    svids: read.value.svids.map(({ spiffeId, x509Svid, x509SvidKey, bundle, hint }) => ({
      spiffe_id: spiffeId,
      x509_svid: hex(x509Svid),
      x509_svid_key: hex(x509SvidKey),
      bundle: hex(bundle),
      hint,
    })),
    crl: read.value.crls.map(hex),
    federated_bundles: Object.fromEntries([...read.value.federatedBundles].map(([key, value]) => [key, hex(value)])),
  };
}

/** Bytes as hexadecimal, so that buffers of different kinds compare. */
function shown(fields: ReturnType<typeof decodeSvids>) {
  const bytesOf = (value: Uint8Array | undefined): string => hex(value ?? new Uint8Array(0));
  return {
    svids: fields.svids.map((one) => ({
      spiffe_id: one.spiffe_id ?? '',
      x509_svid: bytesOf(one.x509_svid),
      x509_svid_key: bytesOf(one.x509_svid_key),
      bundle: bytesOf(one.bundle),
      hint: one.hint ?? '',
    })),
    crl: fields.crl.map(hex),
    federated_bundles: Object.fromEntries(
      Object.entries(fields.federated_bundles).map(([key, value]) => [key, hex(value)]),
    ),
  };
}

describe('agreement with protobufjs', () => {
  test('what it writes we read as it does', () => {
    fc.assert(
      fc.property(svidsFields, (fields) => {
        const message = encodeSvids(fields);
        assert.deepEqual(ours(message), shown(decodeSvids(message)));
      }),
    );
  });

  test('what we write it reads as we meant it', () => {
    fc.assert(
      fc.property(svidsFields, (fields) => {
        const message = writeX509SvidResponse({
          svids: fields.svids.map((one) => ({
            spiffeId: one.spiffe_id,
            x509Svid: one.x509_svid,
            x509SvidKey: one.x509_svid_key,
            bundle: one.bundle,
            hint: one.hint,
          })),
          crls: fields.crl,
          federatedBundles: new Map(Object.entries(fields.federated_bundles)),
        });
        assert.deepEqual(shown(decodeSvids(message)), shown(fields));
      }),
    );
  });

  test('bundles, both ways', () => {
    fc.assert(
      fc.property(bundleMap, fc.array(bytes, { maxLength: 3 }), (bundles, crl) => {
        const read = readX509BundlesResponse(encodeBundles({ bundles, crl }));
        assert.ok(read.ok);
        assert.deepEqual(
          [...read.value.bundles].map(([key, value]) => [key, hex(value)]),
          Object.entries(bundles).map(([key, value]) => [key, hex(value)]),
        );
        const decoded = decodeBundles(writeX509BundlesResponse(read.value));
        assert.deepEqual(decoded.crl.map(hex), crl.map(hex));
        assert.deepEqual(Object.keys(decoded.bundles).toSorted(), Object.keys(bundles).toSorted());
      }),
    );
  });
});

describe('hostile bytes', () => {
  test('no bytes make a reader throw, and what cannot be read has a reason', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (message) => {
        for (const result of [
          readX509SvidResponse(message),
          readX509BundlesResponse(message),
          readWorkloadUpdate(message, 0),
          readBundlesUpdate(message),
        ])
          assert.ok(result.ok || result.error.length > 0);
      }),
      { numRuns: 2_000 },
    );
  });

  test('nor does a right message with a byte changed or cut off', () => {
    fc.assert(
      fc.property(svidsFields, fc.nat(), fc.nat(255), fc.nat(), (fields, at, value, cut) => {
        const message = encodeSvids(fields).slice();
        if (message.length === 0) return;
        message[at % message.length] = value;
        readWorkloadUpdate(message.subarray(0, cut % (message.length + 1)), 0);
        readWorkloadUpdate(message, 0);
      }),
      { numRuns: 1_000 },
    );
  });

  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['a varint of eleven bytes', '80'.repeat(11), /without a readable tag/],
    ['a tag that is cut off', '8a', /without a readable tag/],
    ['field number 0', '0200', /field number 0/],
    ['a field number beyond 2^29', 'ffffffff7f', /field number/],
    ['a group', '0b0c', /field 1 is cut off or of a type that does not occur/],
    ['wire type 7', '0f', /field 1 is cut off/],
    ['a length beyond the end', '0a05ffff', /field 1 is cut off/],
    ['a length of 2^63', `0a${'80'.repeat(9)}01`, /field 1 is cut off/],
    ['a fixed number that is cut off', '0d0000', /field 1 is cut off/],
    ['a spiffe_id that is not UTF-8', '0a030a01ff', /svid 1: spiffe_id is not UTF-8/],
    ['a hint that is not UTF-8', '0a032a01ff', /svid 1: hint is not UTF-8/],
    ['a domain that is not UTF-8', '1a030a01ff', /federated_bundles: a key is not UTF-8/],
    ['an entry of a map that is broken', '1a0108', /federated_bundles: field 1 is cut off/],
    ['a domain twice', '1a030a01611a030a0161', /federated_bundles: a key stands twice/],
  ];
  for (const [name, message, said] of cases) {
    test(name, () => {
      const read = readX509SvidResponse(Buffer.from(message, 'hex'));
      assert.match(read.ok ? '' : read.error, said);
    });
  }

  test('fields that nobody knows are passed over, whatever their type', () => {
    const unknown = '500151 0000000000000000 5d00000000 6203616263'.replaceAll(' ', '');
    const read = readX509SvidResponse(Buffer.from(`${unknown}12017a${unknown}`, 'hex'));
    assert.deepEqual(read.ok && read.value.crls.map(hex), ['7a']);
  });

  test('the last of several values of one field counts', () => {
    const message = Buffer.concat([field(5, 'one'), field(5, 'two')]);
    const read = readX509SvidResponse(field(1, message));
    assert.equal(read.ok && read.value.svids[0]?.hint, 'two');
  });

  test('lengths of more than one byte', () => {
    const value = new Uint8Array(70_000).fill(7);
    let seen: readonly [number, number] | undefined;
    assert.equal(
      readFields(field(300, value), (number, content) => {
        seen = [number, content.length];
        return undefined;
      }),
      undefined,
    );
    assert.deepEqual(seen, [300, 70_000]);
  });

  test('four MiB of empty SVIDs, lists or entries are refused at once', () => {
    for (const tag of [0x0a, 0x12, 0x1a]) {
      const message = new Uint8Array(4 << 20);
      for (let at = 0; at < message.length; at += 2) message[at] = tag;
      const read = within(1_000, () => readX509SvidResponse(message));
      assert.match(read.ok ? '' : read.error, /more than|stands twice/);
    }
  });
});
