import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { ipText, readIp } from '../../../../src/core/policy/builtins/ip-text.ts';
import { within } from '../../../support/within.ts';

function hex(text: string): string | undefined {
  const bytes = readIp(text);
  return bytes === undefined ? undefined : Uint8Array.from(bytes).toHex();
}

describe('readIp: addresses as Go\u2019s netip reads them', () => {
  const good: readonly (readonly [string, string])[] = [
    ['0.0.0.0', '00000000'],
    ['255.1.20.3', 'ff011403'],
    ['::', '0'.repeat(32)],
    ['::1', `${'0'.repeat(31)}1`],
    ['1::', `0001${'0'.repeat(28)}`],
    ['2001:DB8::a', `20010db8${'0'.repeat(23)}a`],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['::ffff:1.2.3.4', `${'0'.repeat(20)}ffff01020304`],
    ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304'],
  ];
  for (const [text, want] of good) test(text, () => assert.equal(hex(text), want));

  const bad = [
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4 ',
    '1.2.3.+4',
    '0x1.2.3.4',
    '1..2.3',
    ':',
    ':::',
    '1:2',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1::',
    '12345::',
    'g::',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '1.2.3.4::',
    '::1.2.3',
    '::1.2.3.4:5',
    '::1%en0',
    '[::1]',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::01.2.3.4',
  ];
  for (const text of bad) test(`no address: ${text}`, () => assert.equal(readIp(text), undefined));

  test('long texts take no long time', () =>
    within(5_000, () => {
      for (const text of [
        ':'.repeat(500_000),
        '1:'.repeat(250_000),
        '1.'.repeat(250_000),
        `::${'1:'.repeat(250_000)}`,
        '9'.repeat(500_000),
      ])
        assert.equal(readIp(text), undefined);
    }));

  test('any text that node takes for an address without a zone is one, and no other', () => {
    const unit = fc.constantFrom('0', '1', 'f', '25', '.', ':', '::', 'ffff', '%', '00', 'g');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) =>
        assert.equal(readIp(text) !== undefined, isIP(text) !== 0 && !text.includes('%')),
      ),
      { numRuns: 5000 },
    );
  });
});

describe('ipText: RFC 5952', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['01020304', '1.2.3.4'],
    ['0'.repeat(32), '::'],
    [`${'0'.repeat(31)}1`, '::1'],
    [`0001${'0'.repeat(28)}`, '1::'],
    ['00010002000300040005000600070008', '1:2:3:4:5:6:7:8'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['0001000000020000000000030000000a', '1:0:2::3:0:a'],
    [`${'0'.repeat(20)}ffff01020304`, '1.2.3.4'],
    [`${'0'.repeat(24)}01020304`, '::102:304'],
  ];
  for (const [bytes, want] of cases) test(want, () => assert.equal(ipText(Uint8Array.fromHex(bytes)), want));

  test('what is written is read as the same address', () => {
    const byte = fc.constantFrom(0, 0, 0, 1, 255);
    fc.assert(
      fc.property(
        fc.oneof(fc.array(byte, { minLength: 4, maxLength: 4 }), fc.array(byte, { minLength: 16, maxLength: 16 })),
        (bytes) => {
          const text = ipText(Uint8Array.from(bytes));
          const want = text.includes('.') ? bytes.slice(-4) : bytes;
          assert.deepEqual(readIp(text), want);
        },
      ),
    );
  });
});
