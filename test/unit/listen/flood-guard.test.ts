import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { FloodGuard } from '../../../src/io/listen/flood-guard.ts';

const BURST = 65_536;

test('control frames may come in a burst, and no more', () => {
  assert.equal(new FloodGuard(0).sweep(BURST, 0), undefined);
  assert.match(new FloodGuard(0).sweep(BURST + 1, 0) ?? '', /65537 bytes/);
});

test('control frames may come at a steady rate for ever', () => {
  const guard = new FloodGuard(0);
  for (let second = 1; second <= 1_000; second++) assert.equal(guard.sweep(second * 8_192, second * 1_000), undefined);
});

test('twice the steady rate uses up the burst and is then a flood', () => {
  const guard = new FloodGuard(0);
  const found = Array.from({ length: 60 }, (_, i) => guard.sweep((i + 1) * 16_384, (i + 1) * 1_000));
  assert.equal(found[6], undefined);
  assert.ok(found[10] !== undefined);
});

test('quiet time does not save up more than a burst', () => {
  const guard = new FloodGuard(0);
  assert.equal(guard.sweep(0, 1_000_000), undefined);
  assert.ok(guard.sweep(BURST + 1, 1_000_000) !== undefined);
});

test('ten WINDOW_UPDATE frames for each frame sent', () => {
  const guard = new FloodGuard(0);
  for (let i = 1; i <= 10_000; i++) {
    guard.sent(1);
    assert.equal(guard.sweep(i * 130, 0), undefined);
  }
});

test('a large write counts as the frames it becomes', () => {
  const guard = new FloodGuard(0);
  guard.sweep(BURST, 0);
  guard.sent(100 * 16_384);
  assert.equal(guard.sweep(BURST + 101 * 130, 0), undefined);
  assert.ok(guard.sweep(BURST + 101 * 130 + 1, 0) !== undefined);
});

test('heads, bodies and what was in flight for abandoned bodies explain their bytes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ head: fc.nat(60_000), data: fc.array(fc.nat(16_384)), abandoned: fc.boolean() })),
      (requests) => {
        const guard = new FloodGuard(0);
        let bytesRead = 0;
        for (const { head, data, abandoned } of requests) {
          guard.streamOpened();
          guard.explainHead(head);
          bytesRead += head;
          for (const length of data) {
            guard.explainData(length);
            bytesRead += length + 9;
          }
          if (abandoned) {
            guard.explainAbandoned(65_535);
            bytesRead += 65_535;
          }
          assert.equal(guard.sweep(bytesRead, 0), undefined);
        }
        assert.equal(guard.isExcessive(bytesRead), false);
      },
    ),
  );
});

test('bytes that are explained later than they were read do not count as spent twice', () => {
  const guard = new FloodGuard(0);
  assert.equal(guard.sweep(60_000, 0), undefined);
  guard.explainData(60_000);
  for (let i = 0; i < 10; i++) assert.equal(guard.sweep(60_000, 0), undefined);
});

test('1,000 PING or SETTINGS frames between two sweeps, one more for each frame sent', () => {
  const guard = new FloodGuard(0);
  for (let i = 0; i < 1_000; i++) assert.equal(guard.control(), undefined);
  assert.match(guard.control() ?? '', /1001 PING or SETTINGS/);
  guard.sweep(0, 0);
  for (let i = 0; i < 500; i++) guard.sent(0);
  for (let i = 0; i < 1_500; i++) assert.equal(guard.control(), undefined);
  assert.ok(guard.control() !== undefined);
});

test('CVE-2023-44487: half of 500 streams may be reset at once, no more', () => {
  const guard = new FloodGuard(0);
  for (let i = 0; i < 500; i++) guard.streamOpened();
  for (let i = 0; i < 250; i++) assert.equal(guard.reset(0), undefined);
  assert.match(guard.reset(999) ?? '', /251 of 500/);
});

test('resets before 500 streams, and of streams older than a second, are no flood', () => {
  const young = new FloodGuard(0);
  for (let i = 0; i < 499; i++) {
    young.streamOpened();
    assert.equal(young.reset(0), undefined);
  }
  const old = new FloodGuard(0);
  for (let i = 0; i < 5_000; i++) {
    old.streamOpened();
    assert.equal(old.reset(1_000), undefined);
  }
});

test('a broken connection was flooded when thousands of bytes are not explained, swept meanwhile or not', () => {
  const guard = new FloodGuard(0);
  assert.equal(guard.isExcessive(9_000), false);
  assert.equal(guard.isExcessive(9_001), true);
  guard.sweep(9_001, 0);
  assert.equal(guard.isExcessive(9_001), true);
  guard.sweep(9_001, 10_000);
  assert.equal(guard.isExcessive(9_001), false, 'long ago');
});
