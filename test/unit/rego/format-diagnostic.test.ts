import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatDiagnostic } from '../../../src/io/rego/format-diagnostic.ts';

test('place, code, message, line and a mark under the column', () => {
  const text = formatDiagnostic({ code: 'c', message: 'm', file: 'p.rego', row: 12, col: 3, line: 'a bc' });
  assert.equal(text, 'p.rego:12:3: c: m\n  12 | a bc\n     |   ^');
});

test('tabs before the column stay tabs, so that the mark lines up', () => {
  const text = formatDiagnostic({ code: 'c', message: 'm', file: 'p', row: 1, col: 3, line: '\ta x' });
  assert.equal(text.split('\n')[2], '    | \t ^');
});

test('characters beyond the basic plane take one column', () => {
  const text = formatDiagnostic({ code: 'c', message: 'm', file: 'p', row: 1, col: 3, line: '😀 x' });
  assert.equal(text.split('\n')[2], '    |   ^');
});

test('a column past the cut line has no mark', () => {
  const text = formatDiagnostic({ code: 'c', message: 'm', file: 'p', row: 1, col: 2000, line: 'x'.repeat(1000) });
  assert.equal(text.split('\n').length, 2);
});

test('without a place the message stands alone', () => {
  assert.equal(formatDiagnostic({ code: 'c', message: 'm' }), 'c: m');
});

test('details are shown on lines of their own', () => {
  assert.equal(
    formatDiagnostic({ code: 'c', message: 'm', details: ['have: 1', 'want: 2'] }),
    'c: m\n  have: 1\n  want: 2',
  );
});
