import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { GO_FOLDER, parseLoadResult } from './load-job.ts';
import type { LoadJob, LoadResult } from './load-job.ts';

const RESULT: LoadResult = {
  requests: 2,
  unexpected: 0,
  firstUnexpected: null,
  failed: 0,
  firstFailure: null,
  seconds: 1,
  perSecond: 2,
  cpuMicros: 3,
  cpuMicrosPerRequest: 1.5,
  latencyMicros: { p50: 1, p90: 2, p99: 3, p999: 4, max: 5 },
  lateMicros: { p50: 1, p99: 2 },
  ownMicrosPerRequest: 9,
  otherLoad: 0.1,
  idleClosed: 0,
  slowReopened: 0,
};

const JOB = {
  address: '127.0.0.1:1',
  serverName: 'localhost',
  ca: 'ca.pem',
  cert: 'client.pem',
  key: 'client.key',
  protocol: 'http1',
  connections: 1,
  streams: 1,
  requests: [
    { method: 'GET', path: '/', headers: {}, bodyFile: null, expectStatus: 200, expectGrpcStatus: 0, weight: 1 },
  ],
  messagesPerStream: 100,
  loop: { kind: 'closed' },
  resume: false,
  idleConnections: 0,
  slowReaders: 0,
  slowPath: '/',
  warmupSeconds: 0,
  seconds: 1,
  pids: [],
  helpers: [],
} as const satisfies LoadJob;

describe('the result of a load', () => {
  test('is taken as it is told', () => {
    assert.deepEqual(parseLoadResult(`${JSON.stringify(RESULT)}\n`), RESULT);
    assert.deepEqual(parseLoadResult(JSON.stringify({ ...RESULT, lateMicros: null })).lateMicros, null);
  });

  for (const name of Object.keys(RESULT).filter((key) => !/^first|^late/.test(key))) {
    test(`is refused without ${name}`, () => {
      assert.throws(
        () => parseLoadResult(JSON.stringify({ ...RESULT, [name]: undefined })),
        new RegExp(`lacks ${name}`),
      );
    });
  }

  test('is refused with a text for a number, with no line, and with half of one', () => {
    const wrong = { ...RESULT, latencyMicros: { ...RESULT.latencyMicros, p999: '4' } };
    assert.throws(() => parseLoadResult(JSON.stringify(wrong)), /lacks latencyMicros\.p999:/);
    assert.throws(() => parseLoadResult(''), SyntaxError);
    assert.throws(() => parseLoadResult(JSON.stringify(RESULT).slice(0, 50)), SyntaxError);
  });
});

describe('the two sides of a job', () => {
  test('have the same fields', async () => {
    const go = await readFile(join(GO_FOLDER, 'internal/job/job.go'), 'utf8');
    const read = Array.from(go.matchAll(/`json:"(\w+)"`/g), ([, name = '']) => name);
    const said = [...Object.keys(JOB), ...Object.keys(JOB.requests[0]), 'kind', 'perSecond'];
    assert.deepEqual(read.toSorted(), said.toSorted());
  });

  test('have the same fields in the result', async () => {
    const go = await readFile(join(GO_FOLDER, 'cmd/load/measure.go'), 'utf8');
    const told = Array.from(go.matchAll(/`json:"(\w+)"`/g), ([, name = '']) => name);
    const { latencyMicros, ...rest } = RESULT;
    const wanted = [...Object.keys(rest), 'latencyMicros', ...Object.keys(latencyMicros), 'p50', 'p99'];
    assert.deepEqual(told.toSorted(), wanted.toSorted());
  });
});
