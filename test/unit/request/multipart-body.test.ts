import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { readParameters } from '../../../src/core/request/media-type.ts';
import { readMultipart } from '../../../src/core/request/multipart-body.ts';

const TYPE = 'multipart/form-data; boundary=b';

/** A body of parts with the boundary `b`; each part is its text from the first field on. */
function body(...parts: string[]): Uint8Array {
  return Buffer.from(`${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--\r\n`, 'latin1');
}

function field(name: string, value: string, ...fields: string[]): string {
  return [`Content-Disposition: form-data; name="${name}"`, ...fields, '', value].join('\r\n');
}

function values(bytes: Uint8Array, type = TYPE): unknown {
  const read = readMultipart(type, bytes);
  assert.ok(typeof read === 'object', typeof read === 'string' ? read : '');
  if (read !== null) assert.equal(Object.getPrototypeOf(read), null);
  return read === null ? null : { ...read };
}

function refused(bytes: Uint8Array | string, type = TYPE): string {
  const read = readMultipart(type, typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  assert.equal(typeof read, 'string', 'accepted');
  return read as string;
}

describe('RFC 7578: form data, as OPA-Envoy reads it', () => {
  test('an array of values for each name', () => {
    assert.deepEqual(values(body(field('a', '1'), field('b', ''), field('a', '2\r\n3'))), {
      a: ['1', '2\r\n3'],
      b: [''],
    });
  });
  test('JSON parts are decoded, in any case of the type', () => {
    const part = field('doc', '{"a":[1,null]}', 'Content-Type: Application/JSON; charset=utf-8');
    assert.deepEqual(values(body(part, field('doc', 'x'))), { doc: [{ a: [1, null] }, 'x'] });
  });
  test('a file is text; what is no UTF-8 becomes U+FFFD', () => {
    const part = field('file', 'a\xff\xc3\xa9', 'Content-Type: application/octet-stream').replace(
      '"file"',
      '"file"; filename="x.bin"',
    );
    assert.deepEqual(values(body(part)), { file: ['a\ufffdé'] });
  });
  test('parts without a name, of another disposition or without one are left out', () => {
    const parts = [
      field('', 'x'),
      'Content-Disposition: attachment; name="a"\r\n\r\nx',
      'Content-Type: a/b\r\n\r\nx',
      '\r\nx',
    ];
    assert.deepEqual(values(body(...parts, field('b', '1'))), { b: ['1'] });
  });
  test('a body of no parts but the last boundary', () => assert.deepEqual(values(Buffer.from('--b--')), {}));
  test('a line end before the first boundary is allowed', () => {
    assert.deepEqual(values(Buffer.concat([Buffer.from('\r\n'), body(field('a', '1'))])), { a: ['1'] });
  });
  test('names are UTF-8, quoted pairs undone', () => {
    const name = Buffer.from('é').toString('latin1');
    assert.deepEqual(values(body(field(name, '1'), field('a\\"b\\\\', '2'))), { é: ['1'], 'a"b\\': ['2'] });
  });
  test('names of Object.prototype are names like any other', () => {
    const read = readMultipart(TYPE, body(field('__proto__', '1'), field('constructor', '2'), field('__proto__', '3')));
    assert.equal(JSON.stringify(read), '{"__proto__":["1","3"],"constructor":["2"]}');
  });
  test('the boundary may be quoted, and of odd characters', () => {
    const bytes = Buffer.from(body(field('a', '1')).toString().replaceAll('--b', "--x'()+_,-./:=? y"));
    assert.deepEqual(values(bytes, 'multipart/form-data; charset=utf-8; boundary="x\'()+_,-./:=? y"'), { a: ['1'] });
  });
  test('no boundary in the content type: no reading', () => {
    assert.equal(values(body(field('a', '1')), 'multipart/form-data'), null);
    assert.equal(values(body(field('a', '1')), 'multipart/form-data; charset=utf-8'), null);
  });
});

describe('bodies that two readers could read differently are refused', () => {
  const sound = field('a', '1');
  const cases: readonly [string, string, string?][] = [
    ['no boundary line', 'a=1', 'text before the first boundary'],
    ['a preamble', `hello\r\n--b\r\n${sound}\r\n--b--`, 'text before the first boundary'],
    ['an epilogue', `--b\r\n${sound}\r\n--b--\r\n--b\r\n${field('a', '2')}\r\n--b--`, 'text after the last boundary'],
    ['no last boundary', `--b\r\n${sound}\r\n`, 'no last boundary'],
    ['cut off', `--b\r\n${sound}\r\n--b`, 'a malformed boundary line'],
    ['LF line ends', `--b\n${sound.replaceAll('\r\n', '\n')}\n--b--\n`, 'a malformed boundary line'],
    [
      'a LF boundary inside a part',
      `--b\r\n${sound}\n--b\n${field('a', '2')}\r\n--b--`,
      'a boundary after a bare LF or CR',
    ],
    [
      'a CR boundary inside a part',
      `--b\r\n${sound}\r--b\r${field('a', '2')}\r\n--b--`,
      'a boundary after a bare LF or CR',
    ],
    ['a LF boundary and no last one', `--b\r\n${sound}\n--b--`, 'no last boundary'],
    ['white space after a boundary', `--b \r\n${sound}\r\n--b--`, 'a malformed boundary line'],
    ['a boundary that begins another word', `--b\r\n${sound}\r\n--bc\r\n--b--`, 'a malformed boundary line'],
    [
      'no empty line',
      '--b\r\nContent-Disposition: form-data; name="a"\r\n--b--',
      'a part without an empty line after its fields',
    ],
  ];
  for (const [why, text, message] of cases) test(why, () => assert.equal(refused(text), message));

  const parts: readonly [string, string, string][] = [
    ['a folded field', 'Content-Disposition: form-data;\r\n name="a"\r\n\r\nx', 'a malformed field in a part'],
    ['a bare LF in a field', 'Content-Disposition: form-data; name="a"\nX: y\r\n\r\nx', 'a malformed field in a part'],
    ['a NUL in a field', 'Content-Disposition: form-data; name="a\0"\r\n\r\nx', 'a malformed field in a part'],
    ['a field without colon', 'Content-Disposition\r\n\r\nx', 'a malformed field in a part'],
    [
      'white space before the colon',
      'Content-Disposition : form-data; name="a"\r\n\r\nx',
      'a malformed field in a part',
    ],
    ['two dispositions', `Content-Disposition: form-data; name="b"\r\n${sound}`, 'a repeated field in a part'],
    ['two types', field('a', '1', 'Content-Type: a/b', 'content-type: application/json'), 'a repeated field in a part'],
    ['two names', 'Content-Disposition: form-data; name="a"; name="b"\r\n\r\nx', 'a malformed content-disposition'],
    [
      'two names in two cases',
      'Content-Disposition: form-data; name="a"; Name=b\r\n\r\nx',
      'a malformed content-disposition',
    ],
    [
      'RFC 8187 name*',
      'Content-Disposition: form-data; name="a"; name*=utf-8\'\'b\r\n\r\nx',
      'a malformed content-disposition',
    ],
    ['an open quote', 'Content-Disposition: form-data; name="a\r\n\r\nx', 'a malformed content-disposition'],
    ['garbage after a quote', 'Content-Disposition: form-data; name="a"b\r\n\r\nx', 'a malformed content-disposition'],
    [
      'a name that is no UTF-8',
      'Content-Disposition: form-data; name="\xff"\r\n\r\nx',
      'a malformed content-disposition',
    ],
    [
      'RFC 7578 4.7: quoted-printable',
      field('a', '=41', 'Content-Transfer-Encoding: quoted-printable'),
      'a part with a transfer encoding (RFC 7578 4.7)',
    ],
    [
      'RFC 7578 4.7: base64',
      field('a', 'QQ==', 'Content-Transfer-Encoding: Base64'),
      'a part with a transfer encoding (RFC 7578 4.7)',
    ],
    ['bad JSON', field('a', '{', 'Content-Type: application/json'), 'a JSON part with not well-formed JSON'],
    [
      'equal keys',
      field('a', '{"a":1,"a":2}', 'Content-Type: application/json'),
      'a JSON part with two equal keys in one object',
    ],
    [
      'UTF-7, in which +ACI- is a quotation mark',
      field('a', '{"a":"+ACIALAAi-a+ACIAOgAi-b"}', 'Content-Type: application/json; charset=utf-7'),
      'a part with a charset other than UTF-8',
    ],
    [
      'Latin-1 with a byte that is not ASCII',
      field('a', '\xe9', 'Content-Type: text/plain; charset=ISO-8859-1'),
      'a part with a charset other than UTF-8',
    ],
    ['a malformed type', field('a', '1', 'Content-Type: text/plain; charset'), 'a part with a malformed content-type'],
    ['JSON that is no UTF-8', field('a', '"\xff"', 'Content-Type: application/json'), 'a JSON part that is no UTF-8'],
  ];
  for (const [why, part, message] of parts) test(why, () => assert.equal(refused(body(part)), message));

  for (const charset of ['UTF-8', 'utf8', 'us-ascii', 'ISO-8859-1']) {
    test(`text of ASCII bytes in ${charset} is the same text in UTF-8`, () => {
      assert.deepEqual(values(body(field('a', '+AC', `Content-Type: text/plain; charset=${charset}`))), { a: ['+AC'] });
    });
  }

  for (const encoding of ['7bit', '8bit', 'binary', 'BINARY']) {
    test(`${encoding} is the identity`, () => {
      assert.deepEqual(values(body(field('a', '1', `Content-Transfer-Encoding: ${encoding}`))), { a: ['1'] });
    });
  }

  for (const boundary of ['""', '" "', '"a "', `"${'a'.repeat(71)}"`, '"a@b"', '"a\tb"', '"é"']) {
    test(`RFC 2046 5.1.1: the boundary ${boundary.slice(0, 12)}`, () => {
      assert.equal(refused(body(field('a', '1')), `multipart/form-data; boundary=${boundary}`), 'a malformed boundary');
    });
  }
  for (const type of [
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary',
    'multipart/form-data; boundary=a; boundary=b',
    'multipart/form-data; boundary="b',
    'multi part/form-data; boundary=b',
    'x, multipart/form-data; boundary=b',
  ]) {
    test(type, () => assert.equal(refused(body(field('a', '1')), type), 'a malformed content-type'));
  }
});

describe('bounds', () => {
  test('256 parts', () => {
    const parts = Array.from({ length: 256 }, (_, index) => field(`n${index}`, ''));
    assert.equal(Object.keys(values(body(...parts)) as object).length, 256);
    assert.equal(refused(body(...parts, field('x', ''))), 'more than 256 parts');
  });
  test('16 fields in a part', () => {
    const more = Array.from({ length: 15 }, (_, index) => `X-${index}: y`);
    assert.deepEqual(values(body(field('a', '1', ...more))), { a: ['1'] });
    assert.equal(refused(body(field('a', '1', ...more, 'X-15: y'))), 'too many fields in a part');
  });
  test('a body of boundaries only, and one that nearly matches all along, take no special time', () => {
    assert.equal(refused('--b\r\n'.repeat(13_000)), 'more than 256 parts');
    assert.equal(refused(`--b\r\n${'\r\n--'.repeat(16_000)}`), 'no last boundary');
  });
});

describe('RFC 9110 5.6.6: parameters', () => {
  const sound: readonly [string, string, Record<string, string>][] = [
    ['text/html', 'text/html', {}],
    ['Text/HTML;', 'text/html', {}],
    [' a/b ; c=d', 'a/b', { c: 'd' }],
    ['a/b;;c=d; ;e="f g"', 'a/b', { c: 'd', e: 'f g' }],
    ['a/b; C="x\\"y\\\\"; d=""', 'a/b', { c: 'x"y\\', d: '' }],
    ['form-data; name="a;b=c"; filename*=utf-8\'\'x', 'form-data', { name: 'a;b=c', 'filename*': "utf-8''x" }],
  ];
  for (const [text, value, parameters] of sound) {
    test(text, () => {
      const read = readParameters(text);
      assert.deepEqual([read?.value, Object.fromEntries(read?.parameters ?? [])], [value, parameters]);
    });
  }
  for (const text of [
    '',
    ';a=b',
    'a b',
    'a/b; c',
    'a/b; c=',
    'a/b; =d',
    'a/b; c =d',
    'a/b; c= d',
    'a/b; c="d',
    'a/b; c="d"e',
    'a/b; c=d e',
    'a/b; c=d; c=d',
    'a/b; c=\u00e9',
    'a/b, c/d',
  ]) {
    test(`${JSON.stringify(text)} is malformed`, () => assert.equal(readParameters(text), undefined));
  }
  test('more than 16 are refused', () => {
    const many = Array.from({ length: 16 }, (_, index) => `;p${index}=1`).join('');
    assert.equal(readParameters(`a/b${many}`)?.parameters.size, 16);
    assert.equal(readParameters(`a/b${many};p16=1`), undefined);
  });
  test('an open quote of 64 KiB is refused without backtracking', () => {
    assert.equal(readParameters(`a/b; c="${'\\"'.repeat(32_000)}`), undefined);
    assert.equal(readParameters(`a/b${'; '.repeat(32_000)}x`), undefined);
  });
});

test('property: what FormData writes is read back', async () => {
  const entries = fc.array(
    fc.tuple(fc.stringMatching(/^[a-z_]{1,8}$/), fc.string({ unit: 'grapheme', maxLength: 20 })),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(entries, async (pairs) => {
      const form = new FormData();
      for (const [name, text] of pairs) form.append(name, text);
      const response = new Response(form);
      const read = values(await response.clone().bytes(), response.headers.get('content-type') ?? '');
      const expected: Record<string, string[]> = {};
      for (const [name, text] of pairs) {
        // HTML: line ends become CRLF when a form is encoded.
        (expected[name] ??= []).push(text.replaceAll(/\r\n|\r|\n/g, '\r\n').toWellFormed());
      }
      assert.deepEqual(read, expected);
    }),
    { numRuns: 100 },
  );
});

test('property: never throws', () => {
  const pieces = fc.array(
    fc.constantFrom('--b', '\r\n', '--', 'Content-Disposition: form-data; name="a"', ':', 'x', '"', ';', '\n', '\xff'),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(pieces, (parts) => {
      const read = readMultipart(TYPE, Buffer.from(parts.join(''), 'latin1'));
      assert.ok(typeof read === 'string' || typeof read === 'object');
    }),
    { numRuns: 2000 },
  );
});
