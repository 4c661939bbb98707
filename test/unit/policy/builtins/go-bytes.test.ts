import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import {
  base64Bytes,
  base64UrlBytes,
  bigBytes,
  bigOf,
  bytesOf,
  jwtPart,
  sameBytes,
  textOf,
} from '../../../../src/core/policy/builtins/go-bytes.ts';
import { trimmed, trimmedRight } from '../../../../src/core/policy/builtins/go-trim.ts';
import { within } from '../../../support/within.ts';

const BAD = '\ufffd';

/** One by one what Go says: a byte that begins no well-formed character is U+FFFD. */
function slowly(bytes: Uint8Array): string {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find((size) => {
      try {
        return at + size <= bytes.length && strict.decode(bytes.subarray(at, at + size)) !== '';
      } catch {
        return false;
      }
    });
    text += length === undefined ? BAD : strict.decode(bytes.subarray(at, at + length));
    at += length ?? 1;
  }
  return text;
}

const read = (reader: (text: string) => Uint8Array, text: string): string | undefined => {
  try {
    return reader(text).toHex();
  } catch (problem) {
    assert.ok(problem instanceof BuiltinError);
    return undefined;
  }
};

describe('textOf: Unicode 3.9, table 3-7; each byte of what is ill-formed becomes U+FFFD, as in Go', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['ASCII', '61', 'a'],
    ['two, three and four bytes', 'c3a9e282acf09f9880', '\u00e9\u20ac\u{1f600}'],
    ['the byte order mark is a character', 'efbbbf61', '\ufeffa'],
    ['the last character', 'f48fbfbf', '\u{10ffff}'],
    ['a byte that continues nothing', '6180', `a${BAD}`],
    ['an overlong form of two bytes', 'c080', BAD.repeat(2)],
    ['an overlong form of three bytes', 'e08080', BAD.repeat(3)],
    ['an overlong form of four bytes', 'f0808080', BAD.repeat(4)],
    ['half a surrogate pair', 'eda080', BAD.repeat(3)],
    ['beyond U+10FFFF', 'f4908080', BAD.repeat(4)],
    ['bytes that begin nothing', 'f5ff', BAD.repeat(2)],
    ['a character cut off by the end', 'e282', BAD.repeat(2)],
    ['a character cut off by another', 'e28261', `${BAD}${BAD}a`],
    ['nothing', '', ''],
  ];
  for (const [title, hex, want] of cases) test(title, () => assert.equal(textOf(Uint8Array.fromHex(hex)), want));

  test('any bytes are the text that Go makes of them', () => {
    const byte = fc.constantFrom(
      0x61,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc0,
      0xc2,
      0xdf,
      0xe0,
      0xe2,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
      0xff,
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), (bytes) =>
        assert.equal(textOf(Uint8Array.from(bytes)), slowly(Uint8Array.from(bytes))),
      ),
      { numRuns: 2000 },
    );
  });

  test('text is what its bytes are read as', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => assert.equal(textOf(bytesOf(text)), text.toWellFormed())),
    );
  });

  test('a megabyte that is no text takes no long time', () =>
    within(5_000, () => {
      assert.equal(textOf(new Uint8Array(1_000_000).fill(0xff)).length, 1_000_000);
    }));
});

describe('Go encoding/base64: which texts are bytes', () => {
  const cases: readonly (readonly [string, string, string | undefined, string | undefined])[] = [
    ['nothing', '', '', ''],
    ['padding', 'AQ==', '01', '01'],
    ['line ends anywhere', 'A\r\nQ=\n=', '01', '01'],
    ['bits left over are ignored', 'AR==', '01', '01'],
    ['the older alphabet', '-/+/', undefined, undefined],
    ['plus and slash', '++//', 'fbefff', undefined],
    ['minus and underscore', '--__', undefined, 'fbefff'],
    ['no padding', 'AQ', undefined, undefined],
    ['too much padding', 'AQ===', undefined, undefined],
    ['padding alone', '====', undefined, undefined],
    ['padding in the middle', 'AQ==AQ==', undefined, undefined],
    ['one character', 'A', undefined, undefined],
    ['a space', 'AQ ==', undefined, undefined],
    ['no ASCII', 'AQ=\u00e9', undefined, undefined],
  ];
  for (const [title, text, std, url] of cases) {
    test(title, () => {
      assert.equal(read(base64Bytes, text), std);
      assert.equal(read(base64UrlBytes, text), url);
    });
  }

  test('a part of a token may lack its padding, and one that has it keeps to it', () => {
    for (const [text, want] of [
      ['', ''],
      ['AQ', '01'],
      ['AQ==', '01'],
      ['AQID', '010203'],
      ['AQI', '0102'],
      ['A', undefined],
      ['AQI==', undefined],
      ['A+', undefined],
    ] as const)
      assert.equal(read(jwtPart, text), want, text);
  });

  test('any bytes come back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        assert.equal(read(base64Bytes, bytes.toBase64()), bytes.toHex());
        assert.equal(read(jwtPart, bytes.toBase64({ alphabet: 'base64url', omitPadding: true })), bytes.toHex());
      }),
    );
  });
});

test('numbers and their bytes: the least number of them, or as many as asked', () => {
  assert.deepEqual([bigBytes(0n).length, bigBytes(0n, 3).toHex(), bigBytes(256n).toHex()], [0, '000000', '0100']);
  assert.equal(bigOf(new Uint8Array()), 0n);
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 200n), fc.nat(40), (value, length) => {
      assert.equal(bigOf(bigBytes(value)), value);
      assert.equal(bigOf(bigBytes(value, length)), value);
      assert.ok(bigBytes(value, length).length >= length);
    }),
  );
});

test('the same bytes: every byte and the length count', () => {
  assert.ok(sameBytes(new Uint8Array(), new Uint8Array()));
  assert.ok(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  for (const other of [[1], [1, 3], [3, 2], [1, 2, 0]])
    assert.ok(!sameBytes(Uint8Array.of(1, 2), Uint8Array.from(other)));
});

describe('Go strings.Trim', () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['', 'ab', '', ''],
    ['abab', 'ab', '', ''],
    ['abxba', 'ab', 'x', 'abx'],
    ['xaby', 'ab', 'xaby', 'xaby'],
    ['"quoted"', '"', 'quoted', '"quoted'],
    ['x', '', 'x', 'x'],
  ];
  for (const [text, cutset, both, right] of cases) {
    test(`${text} without ${cutset}`, () => {
      assert.equal(trimmed(text, cutset), both);
      assert.equal(trimmedRight(text, cutset), right);
    });
  }
  test('a long run in the middle takes no long time', () =>
    within(5_000, () => {
      const text = `a${'"'.repeat(1_000_000)}b`;
      assert.equal(trimmed(text, '"'), text);
      assert.equal(trimmedRight(text, '"'), text);
    }));
});
