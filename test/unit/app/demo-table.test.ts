import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';

import fc from 'fast-check';

import { paintFor, renderTable, type Paint, type Row } from '../../../src/app/demo-table.ts';

const plain: Paint = (_colour, text) => text;

const ROW: Row = {
  who: 'reader',
  agent: 'mcp',
  what: 'tools/call echo',
  verdict: 'allow',
  status: '200',
  why: 'may call the tool echo',
  micros: 12.6,
  expected: undefined,
};

const text = (maxLength: number) => fc.string({ unit: 'grapheme-ascii', maxLength });

describe('the table of the demo', () => {
  test('has a heading and one line a row, every column where its heading is', () => {
    const [heading = '', first = '', second = ''] = renderTable(
      [ROW, { ...ROW, who: 'planner', status: 'grpc 14', why: 'x' }],
      plain,
    );
    for (const [name, a, b] of [
      ['WHO', 'reader', 'planner'],
      ['CALLED', 'tools/call echo', 'tools/call echo'],
      ['STATUS', '200', 'grpc 14'],
      ['WHY', 'may call', 'x'],
    ] as const) {
      assert.equal(first.indexOf(a), heading.indexOf(name), name);
      assert.equal(second.indexOf(b), heading.indexOf(name), name);
    }
  });

  test('microseconds are whole and stand right; where the policy was not asked there is a dash', () => {
    const [heading = '', asked = '', other = ''] = renderTable([ROW, { ...ROW, micros: undefined }], plain);
    assert.ok(asked.endsWith(' 13'));
    assert.ok(other.endsWith(' -'));
    assert.deepEqual([asked.length, other.length], [heading.length, heading.length]);
  });

  test('a row that is not as expected is followed by what was', () => {
    const lines = renderTable([ROW, { ...ROW, expected: 'deny, 403' }, ROW], plain);
    assert.equal(lines.length, 5);
    assert.equal(lines[3], '  ^ expected: deny, 403');
  });

  test('a reason that is too long ends in an ellipsis, and nothing else is cut', () => {
    const [, line = ''] = renderTable([{ ...ROW, why: `no ${'very '.repeat(40)}good reason` }], plain);
    assert.equal(line.length, 120);
    assert.match(line, /^reader  mcp {4}tools\/call echo  allow {4}200 {5}no very .*… {9}13$/);
  });

  test('property: no line is longer than 120, and all rows are as long as the heading', () => {
    const row = fc.record<Row>({
      who: text(8),
      agent: text(4),
      what: text(26),
      verdict: fc.constantFrom('allow', 'deny', 'would-deny', 'no record'),
      status: text(10),
      why: text(300),
      micros: fc.option(fc.double({ min: 0, max: 1e7, noNaN: true }), { nil: undefined }),
      expected: fc.constant(undefined),
    });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), (rows) => {
        const lines = renderTable(rows, plain);
        assert.equal(lines.length, rows.length + 1);
        for (const line of lines) assert.deepEqual([line.length, line.length <= 120], [lines[0]?.length, true]);
      }),
    );
  });

  test('colour changes no column, and tells allow from deny', () => {
    const rows: Row[] = [ROW, { ...ROW, verdict: 'deny' }, { ...ROW, verdict: 'no record' }];
    const painted = renderTable(rows, (colour, text) => `\u{1b}[${colour.length}m${text}\u{1b}[0m`);
    assert.deepEqual(painted.map(stripVTControlCharacters), renderTable(rows, plain));
    assert.ok(painted[1]?.includes('\u{1b}[5mallow'));
    assert.ok(painted[2]?.includes('\u{1b}[3mdeny'));
    assert.ok(painted[3]?.includes('\u{1b}[6mno record'));
  });

  test('there is no colour where the output is no terminal', () => {
    const stream = new PassThrough() as unknown as NodeJS.WriteStream;
    assert.equal(paintFor(stream)('green', 'allow'), 'allow');
    const terminal = Object.assign(new PassThrough(), { isTTY: true, getColorDepth: () => 8 });
    assert.equal(paintFor(terminal as unknown as NodeJS.WriteStream)('green', 'allow'), '\u{1b}[32mallow\u{1b}[39m');
  });
});
