import assert from 'node:assert/strict';
import { test } from 'node:test';

import { toDiagnostic } from '../../../src/io/rego/locate.ts';

const files = {
  'p.rego': 'package a\n\nallow if input.x\n',
  'd/data.json': '{"a": 1,\n "b": tru}',
  'data.yaml': 'a: 1\nb: c: d\n',
};

test('the place that OPA gives is kept, and the line added', () => {
  const raw = { code: 'rego_type_error', message: 'undefined ref', file: 'p.rego', row: 3, col: 10 };
  assert.deepEqual(toDiagnostic(raw, files), { ...raw, line: 'allow if input.x' });
});

test('a missing column, as at the end of the file, is one past the end of the line', () => {
  const raw = { code: 'rego_parse_error', message: 'unexpected eof token', file: 'p.rego', row: 3 };
  assert.equal(toDiagnostic(raw, files).col, 17);
});

test('a file without a place is meant as a whole: its first line', () => {
  const raw = { code: 'rego_parse_error', message: 'empty module', file: 'p.rego' };
  const { row, col, line } = toDiagnostic(raw, files);
  assert.deepEqual([row, col, line], [1, 1, 'package a']);
});

test('the byte offset of a JSON error becomes row and column', () => {
  const raw = { code: 'rego_load_error', message: 'bundle .: invalid character', file: 'd/data.json', offset: 19 };
  const expected = {
    code: raw.code,
    message: 'invalid character',
    file: raw.file,
    row: 2,
    col: 10,
    line: ' "b": tru}',
  };
  assert.deepEqual(toDiagnostic(raw, files), expected);
  const asBytes = { ...files, 'd/data.json': Buffer.from(files['d/data.json']) };
  assert.deepEqual(toDiagnostic(raw, asBytes), expected);
});

test('a JSON file that breaks off is at fault at its end', () => {
  const raw = { code: 'rego_load_error', message: 'failed: unexpected EOF', file: 'd/data.json' };
  const { row, col } = toDiagnostic(raw, files);
  assert.deepEqual([row, col], [2, 11]);
});

test('the line that a YAML error names is used', () => {
  const raw = { code: 'rego_load_error', message: 'yaml: line 2: mapping values', file: 'data.yaml' };
  const { row, col, line } = toDiagnostic(raw, files);
  assert.deepEqual([row, col, line], [2, 1, 'b: c: d']);
});

test('a file that only the message names is found, if it is one of the request', () => {
  const message = 'load error: bundle .: bundle load failed on /data.yaml: failed to insert';
  const found = toDiagnostic({ code: 'rego_build_error', message }, files);
  assert.equal(found.file, 'data.yaml');
  assert.equal(found.message, 'bundle load failed on /data.yaml: failed to insert');
  const other = toDiagnostic({ code: 'rego_build_error', message: 'failed on /other.yaml: x' }, files);
  assert.deepEqual(other, { code: 'rego_build_error', message: 'failed on /other.yaml: x' });
});

test('names that every object has are not files', () => {
  const found = toDiagnostic({ code: 'x', message: 'failed on toString: y' }, files);
  assert.equal(found.file, undefined);
  const raw = toDiagnostic({ code: 'x', message: 'y', file: 'constructor', row: 2 }, files);
  assert.deepEqual(raw, { code: 'x', message: 'y', file: 'constructor', row: 2, col: 1 });
});

test('a row that the file does not have gives a place without a line', () => {
  const found = toDiagnostic({ code: 'x', message: 'y', file: 'p.rego', row: 99, col: 4 }, files);
  assert.deepEqual(found, { code: 'x', message: 'y', file: 'p.rego', row: 99, col: 4 });
});

test("the details of a parse error are the line again and are dropped; a type error's say more and stay", () => {
  const parse = { code: 'rego_parse_error', message: 'm', details: ['allow', '  ^'] };
  assert.equal(toDiagnostic(parse, files).details, undefined);
  const type = { code: 'rego_type_error', message: 'm', details: ['have: (number)', 'want: (array)'] };
  assert.deepEqual(toDiagnostic(type, files).details, ['have: (number)', 'want: (array)']);
});

for (const name of ['http.send', 'net.lookup_ip_addr']) {
  test(`${name}: OPA's "undefined function" becomes a refusal with its reason and the way out`, () => {
    const raw = { code: 'rego_type_error', message: `undefined function ${name}`, file: 'p.rego', row: 3, col: 10 };
    const { code, message, row, col } = toDiagnostic(raw, files);
    assert.equal(code, 'rego_refused_builtin');
    assert.match(message, new RegExp(`^${name.replaceAll('.', '\\.')} is refused: .*network.*data\\.json.*\`data\``));
    assert.deepEqual([row, col], [3, 10]);
  });
}

test('other unknown functions stay unknown functions', () => {
  for (const name of ['http.sendx', 'toString', 'data.http.send', 'constructor']) {
    const raw = { code: 'rego_type_error', message: `undefined function ${name}` };
    assert.deepEqual(toDiagnostic(raw, files), raw);
  }
});
