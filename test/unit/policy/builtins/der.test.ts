import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import {
  DerReader,
  TAG,
  bitString,
  context,
  integerOf,
  oidOf,
  oidText,
  sequence,
} from '../../../../src/core/policy/builtins/der.ts';
import * as der from '../../../support/der.ts';
import { within } from '../../../support/within.ts';

function reader(hex: string): DerReader {
  return new DerReader(Uint8Array.fromHex(hex.replaceAll(' ', '')));
}

function refused(read: () => unknown): void {
  assert.throws(read, BuiltinError);
}

describe('X.690 8.1, 10.1: identifier and length', () => {
  test('an element is its tag, its body and all of its bytes; the next follows', () => {
    const bytes = reader('0401ff 0500');
    const first = bytes.any();
    assert.deepEqual([first.tag, first.body.toHex(), first.whole.toHex()], [4, 'ff', '0401ff']);
    assert.equal(bytes.any().tag, TAG.null);
    assert.ok(bytes.empty);
  });

  test('10.1: lengths up to 127 have one byte, longer ones the least number of them', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const whole = der.octetString(new Uint8Array(length));
      assert.equal(new DerReader(whole).any().body.length, length);
    }
  });

  const bad: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['a tag alone', '30'],
    ['8.1.3.6: an indefinite length', '3080 0500 0000'],
    ['10.1: a long form where the short one would do', '30817f'.padEnd(6 + 254, '0')],
    ['10.1: a length that begins with zero', `308200ff${'00'.repeat(255)}`],
    ['a length of five bytes', '30850100000000'],
    ['a length whose bytes are missing', '3082'],
    ['a body that is too short', '300205'],
    ['a length of four gigabytes', '3084ffffffff00'],
    ['8.1.2.4: a tag of more than one byte', '3f8101 00'],
    ['8.1.2.4: a tag of 31', '1f00'],
  ];
  for (const [title, hex] of bad) test(`refused: ${title}`, () => refused(() => reader(hex).any()));

  test('another tag than the one that is asked for is refused, or not there where it is optional', () => {
    refused(() => reader('0500').element(TAG.sequence));
    assert.equal(reader('0500').optional(TAG.sequence), undefined);
    assert.equal(reader('').optional(TAG.sequence), undefined);
    assert.equal(reader('').next(0), false);
    assert.ok(reader('3000').optional(TAG.sequence)?.empty);
  });

  test('tags of context class', () => assert.deepEqual([context(0), context(3, true)], [0x80, 0xa3]));

  test('nesting as deep as bytes allow is walked without recursion', () => {
    let bytes: Uint8Array = der.derNull();
    for (let depth = 0; depth < 3_000; depth += 1) bytes = der.sequence(bytes);
    let inner = new DerReader(bytes);
    while (inner.next(TAG.sequence)) inner = inner.into(TAG.sequence);
    assert.ok(inner.next(TAG.null));
  });
});

describe('X.690 8.3: integers', () => {
  const good: readonly (readonly [string, bigint])[] = [
    ['00', 0n],
    ['7f', 127n],
    ['0080', 128n],
    ['80', -128n],
    ['ff', -1n],
    ['ff7f', -129n],
    ['00ffffffffffffffff', 2n ** 64n - 1n],
  ];
  for (const [hex, want] of good)
    test(`${hex} is ${want}`, () => assert.equal(integerOf(Uint8Array.fromHex(hex)), want));

  for (const [title, hex] of [
    ['no bytes', ''],
    ['8.3.2: a leading zero byte', '007f'],
    ['8.3.2: leading ones', 'ff80'],
  ] as const)
    test(`refused: ${title}`, () => refused(() => integerOf(Uint8Array.fromHex(hex))));

  test('any integer is read as it was written', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 300n), 2n ** 300n), (value) =>
        assert.equal(new DerReader(der.integer(value)).integer(), value),
      ),
    );
  });

  test('a size is not negative and has 63 bits', () => {
    assert.equal(new DerReader(der.integer(5)).size(), 5);
    refused(() => new DerReader(der.integer(-1)).size());
    refused(() => new DerReader(der.integer(2n ** 63n)).size());
  });
});

describe('X.690 8.2, 11.1: booleans', () => {
  test('true is all ones, false is zero', () => {
    assert.equal(reader('0101ff').boolean(), true);
    assert.equal(reader('010100').boolean(), false);
  });
  for (const hex of ['010101', '0100', '0102ffff', '0201ff'])
    test(`refused: ${hex}`, () => refused(() => reader(hex).boolean()));
});

describe('X.690 8.6, 11.2: bit strings', () => {
  test('bits, and how many of the last byte are not used', () => {
    const { bytes, unused } = reader('030204f0').bits();
    assert.deepEqual([bytes.toHex(), unused], ['f0', 4]);
    assert.deepEqual(reader('030100').bits(), { bytes: new Uint8Array(), unused: 0 });
  });
  test('right aligned: the number that the bits are', () => {
    assert.equal(reader('030204f0').rightAligned().toHex(), '0f');
    assert.equal(reader('03030412f0').rightAligned().toHex(), '012f');
    assert.equal(reader('03020012').rightAligned().toHex(), '12');
  });
  for (const [title, hex] of [
    ['no bytes', '0300'],
    ['eight bits that are not used', '03020800'],
    ['11.2.1: a bit set that is not used', '030201 01'],
    ['8.6.2.3: unused bits of no bytes', '030101'],
  ] as const)
    test(`refused: ${title}`, () => refused(() => reader(hex).bits()));
});

describe('X.690 8.19: object identifiers', () => {
  const good: readonly (readonly [string, string])[] = [
    ['2a864886f70d010101', '1.2.840.113549.1.1.1'],
    ['00', '0.0'],
    ['27', '0.39'],
    ['28', '1.0'],
    ['4f', '1.39'],
    ['50', '2.0'],
    ['8837', '2.999'],
    ['2a87ffffff7f', '1.2.2147483647'],
  ];
  for (const [hex, want] of good) {
    test(want, () => {
      const bytes = Uint8Array.fromHex(hex);
      assert.equal(oidText(bytes), want);
      assert.equal(oidOf(bytes).join('.'), want);
    });
  }

  for (const [title, hex] of [
    ['no bytes', ''],
    ['8.19.2: a number that begins with 80', '2a8001'],
    ['8.19.2: an identifier that begins with 80', '8001'],
    ['a number that does not end', '2a86'],
  ] as const)
    test(`refused: ${title}`, () => {
      refused(() => oidText(Uint8Array.fromHex(hex)));
      refused(() => oidOf(Uint8Array.fromHex(hex)));
    });

  test('a number beyond 31 bits is text but no identifier', () => {
    for (const [hex, want] of [
      ['2a8880808000', '1.2.2147483648'],
      ['2a81808080808080808000', '1.2.9223372036854775808'],
      ['2aa080808080808000', `1.2.${32n * 2n ** 49n}`],
    ] as const) {
      assert.equal(oidText(Uint8Array.fromHex(hex)), want);
      refused(() => oidOf(Uint8Array.fromHex(hex)));
    }
  });

  test('any identifier is read as it was written', () => {
    const arcs = fc.tuple(fc.nat(2), fc.nat(39), fc.array(fc.nat(2 ** 31 - 1), { maxLength: 8 }));
    fc.assert(
      fc.property(arcs, ([first, second, others]) => {
        const text = [first, second, ...others].join('.');
        const body = new DerReader(der.oid(text)).body(TAG.oid);
        assert.equal(oidText(body), text);
        assert.equal(oidOf(body).join('.'), text);
      }),
    );
  });

  test('an identifier of one number of a hundred thousand bytes takes no long time', () =>
    within(5_000, () => {
      const bytes = new Uint8Array(100_000).fill(0xff);
      bytes[bytes.length - 1] = 0x7f;
      assert.ok(oidText(bytes).startsWith('2.'));
      refused(() => oidOf(bytes));
    }));
});

test('what is written anew is DER', () => {
  for (const length of [0, 5, 127, 128, 300, 70_000]) {
    const bytes = new Uint8Array(length).fill(7);
    assert.deepEqual(Buffer.from(bitString(bytes)), Buffer.from(der.bitString(bytes)));
    assert.deepEqual(
      Buffer.from(sequence([der.derNull(), bitString(bytes)])),
      Buffer.from(der.sequence(der.derNull(), der.bitString(bytes))),
    );
  }
});

test('any bytes are elements or an error of its own', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      for (const read of [
        (one: DerReader) => Array.from(one.all()),
        (one: DerReader) => one.integer(),
        (one: DerReader) => one.boolean(),
        (one: DerReader) => one.oid(),
        (one: DerReader) => one.rightAligned(),
        (one: DerReader) => one.into(bytes[0] ?? 0).size(),
      ]) {
        try {
          read(new DerReader(bytes));
        } catch (problem) {
          assert.ok(problem instanceof BuiltinError);
        }
      }
    }),
    { numRuns: 1000 },
  );
});
