import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { statusDocument, type StatusFacts } from '../../../src/io/control/status-document.ts';
import { createStatusReporter, type StatusReporter } from '../../../src/io/control/status-reporter.ts';
import { readBounded } from '../../../src/io/sources/read-file.ts';
import { startControlServer, type ControlServer } from '../../support/control-server.ts';
import { createManualTimer, type ManualTimer } from '../../support/manual-timer.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

const TIMEOUT = 9_999;

type World = {
  readonly server: ControlServer;
  readonly reporter: StatusReporter;
  readonly clock: ManualTimer;
  readonly said: string[];
  readonly facts: { revision: string };
};

async function world(context: TestContext): Promise<World> {
  const server = await startControlServer(context);
  const trustBundle = join(await tempFolder(context), 'ca.pem');
  await writeFile(trustBundle, server.trustPem);
  const clock = createManualTimer();
  const said: string[] = [];
  const facts = { revision: '1' };
  const log = (_fields: unknown, message: string): void => void said.push(message);
  const reporter = createStatusReporter(
    { url: server.url('/status'), trustBundle, timeout: TIMEOUT, minDelay: 30_000, maxDelay: 60_000 },
    {
      readFile: readBounded,
      timer: clock.timer,
      random: (length) => new Uint8Array(length),
      status: () => ({ ...facts }),
      log: { info: log, warn: log },
    },
  );
  context.after(() => reporter.stop());
  return { server, reporter, clock, said, facts };
}

/** Pauses that are set, without the deadline of a request. */
function pauses(clock: ManualTimer): readonly number[] {
  return clock.set().filter((ms) => ms !== TIMEOUT);
}

test('it reports at start, then after a pause chosen at random, then on change, however many there are', async (context) => {
  const { server, reporter, clock, facts } = await world(context);
  reporter.start();
  await clock.fire(500);
  await until('the first report', () => server.statuses.length === 1);
  await until('the pause', () => pauses(clock).length === 1);
  assert.deepEqual(pauses(clock), [30_000]);
  await clock.fire(30_000);
  await until('the second report', () => server.statuses.length === 2);
  await until('the pause', () => pauses(clock).length === 1);
  facts.revision = '2';
  for (let change = 0; change < 100; change += 1) reporter.changed();
  assert.deepEqual(pauses(clock), [500]);
  await clock.fire(500);
  await until('the third report', () => server.statuses.length === 3);
  assert.deepEqual(server.statuses, [{ revision: '1' }, { revision: '1' }, { revision: '2' }]);
});

test('a report that fails is tried again, later each time; changes do not hurry it; the log is told once', async (context) => {
  const { server, reporter, clock, said } = await world(context);
  server.faults.set('/status', { kind: 'status', status: 500 });
  reporter.start();
  await clock.fire(500);
  for (const ms of [250, 500, 1_000]) {
    await until(`the pause of ${ms}`, () => pauses(clock).includes(ms));
    reporter.changed();
    assert.deepEqual(pauses(clock), [ms]);
    if (ms === 1_000) server.faults.clear();
    await clock.fire(ms);
  }
  await until('a report', () => server.statuses.length === 1);
  await until('the pause', () => pauses(clock).length === 1);
  assert.deepEqual(said, ['status cannot be reported', 'status is reported again']);
});

test('a server that never answers holds nothing up, and stop ends it', async (context) => {
  const { server, reporter, clock } = await world(context);
  server.faults.set('/status', { kind: 'silent' });
  reporter.start();
  await clock.fire(500);
  await until('the request', () => server.received.length === 1);
  reporter.changed();
  await reporter.stop();
  assert.deepEqual(pauses(clock), []);
});

const FACTS: StatusFacts = {
  labels: { id: 'x' },
  bundle: {
    name: 'agents',
    activeRevision: 'r1',
    type: 'delta',
    size: 7,
    lastRequestMs: 4,
    lastSuccessfulRequestMs: 3,
    lastSuccessfulDownloadMs: 2,
    lastSuccessfulActivationMs: 1,
    problem: { message: 'm', errors: ['m', 'n'], httpCode: 500 },
  },
  decisionLogs: { code: 'decision_log_error', message: 'no' },
  parts: { bundle: { state: 'ERROR', message: 'm' } },
};

test("OPA status service: the document has OPA's names", () => {
  assert.deepEqual(JSON.parse(JSON.stringify(statusDocument(FACTS))), {
    labels: { id: 'x' },
    bundles: {
      agents: {
        name: 'agents',
        active_revision: 'r1',
        last_request: '1970-01-01T00:00:00.004Z',
        last_successful_request: '1970-01-01T00:00:00.003Z',
        last_successful_download: '1970-01-01T00:00:00.002Z',
        last_successful_activation: '1970-01-01T00:00:00.001Z',
        type: 'delta',
        size: 7,
        code: 'bundle_error',
        message: 'm',
        errors: ['m', 'n'],
        http_code: 500,
      },
    },
    decision_logs: { code: 'decision_log_error', message: 'no' },
    plugins: { bundle: { state: 'ERROR', message: 'm' } },
  });
});

test('OPA status service: what is not known, or not wrong, is left out', () => {
  const bundle = { ...FACTS.bundle, activeRevision: undefined, lastRequestMs: undefined, problem: undefined };
  const text = JSON.stringify(statusDocument({ ...FACTS, bundle, decisionLogs: undefined }));
  for (const name of ['active_revision', 'last_request"', 'code', 'errors', 'decision_logs'])
    assert.ok(!text.includes(name), name);
});
