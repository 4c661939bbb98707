import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { readWatchEvent } from '../../../src/io/kube/watch-event.ts';

const METADATA = { name: 'a', namespace: 'n', resourceVersion: '7' };
const event = (type: unknown, object: unknown): string => JSON.stringify({ type, object });

describe('events of a watch', () => {
  for (const [type, kind] of [
    ['ADDED', 'present'],
    ['MODIFIED', 'present'],
    ['DELETED', 'deleted'],
  ] as const) {
    test(`${type} is an object that is ${kind}`, () => {
      const object = { kind: 'Pod', metadata: METADATA, spec: { any: 1 } };
      assert.deepEqual(readWatchEvent(event(type, object)), { ok: true, value: { kind, object } });
    });
  }

  test('BOOKMARK is a resourceVersion', () => {
    const read = readWatchEvent(event('BOOKMARK', { metadata: { resourceVersion: '9' } }));
    assert.deepEqual(read, { ok: true, value: { kind: 'bookmark', resourceVersion: '9' } });
  });

  const errors = [
    [{ code: 410, reason: 'Expired', message: 'SECRET' }, 'gone', '410 Expired'],
    [{ code: 500, reason: 'InternalError' }, 'unavailable', '500 InternalError'],
    [{ code: '410', reason: 'a b\n' }, 'unavailable', 'no code'],
    [null, 'unavailable', 'no code'],
  ] as const;
  for (const [status, kind, said] of errors) {
    test(`ERROR ${JSON.stringify(status)} is ${kind}`, () => {
      const fault = { kind, detail: `watch: the API server ended it (${said})` };
      assert.deepEqual(readWatchEvent(event('ERROR', status)), { ok: true, value: { kind: 'error', fault } });
    });
  }

  const none = [
    '',
    '{',
    '[]',
    'null',
    '{"type":"ADDED"}',
    event('ADDED', []),
    event('ADDED', { metadata: null }),
    event('ADDED', { metadata: { ...METADATA, name: 1 } }),
    event('ADDED', { metadata: { ...METADATA, name: undefined } }),
    event('ADDED', { metadata: { ...METADATA, resourceVersion: 7 } }),
    event('ADDED', { metadata: { name: 'a' } }),
    event('ADDED', { metadata: { ...METADATA, labels: { a: 1 } } }),
    event('ADDED', { metadata: { ...METADATA, annotations: [] } }),
    event('BOOKMARK', { metadata: {} }),
    event('added', { metadata: METADATA }),
    event(undefined, { metadata: METADATA }),
  ];
  for (const line of none) {
    test(`no event: ${line}`, () => {
      const read = readWatchEvent(line);
      assert.ok(!read.ok && read.error.kind === 'broken');
    });
  }

  test('property: any line is an event or broken, and never more', () => {
    const type = fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR', 'OTHER');
    const line = fc.oneof(
      fc.string(),
      fc.json(),
      fc.tuple(type, fc.jsonValue()).map(([one, value]) => event(one, value)),
    );
    fc.assert(
      fc.property(line, (text) => {
        const read = readWatchEvent(text);
        if (!read.ok) assert.equal(read.error.kind, 'broken');
      }),
    );
  });
});
