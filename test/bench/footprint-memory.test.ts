import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';

import { memoryOf, parseMemory } from './footprint-memory.ts';

describe('memory of a process', () => {
  test('proc(5), smaps_rollup: kilobytes become MiB, and no other field is taken for one that ends alike', () => {
    const text = [
      '55d0c0000000-7ffd3b3ff000 ---p 00000000 00:00 0                          [rollup]',
      'Rss:              126976 kB',
      'Pss:               78848 kB',
      'Pss_Dirty:         70000 kB',
      'SwapPss:               0 kB',
      'Anonymous:         67584 kB',
      'LazyFree:              0 kB',
    ].join('\n');
    assert.deepEqual(parseMemory(text), { rss: 124, pss: 77, anonymous: 66 });
  });

  test('a field that is missing is told, not counted as nothing', () => {
    assert.throws(() => parseMemory('Rss: 1 kB\nSwapPss: 1 kB\n'), /without Pss/);
  });

  test('of this process', { skip: existsSync('/proc/self/smaps_rollup') ? false : 'needs Linux' }, () => {
    const { rss, pss, anonymous } = memoryOf(process.pid);
    assert.ok(rss > 20 && pss > 0 && anonymous > 0);
    assert.ok(pss <= rss && anonymous <= rss);
  });
});
