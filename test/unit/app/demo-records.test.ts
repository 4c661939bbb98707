import assert from 'node:assert/strict';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { findRecord } from '../../../src/app/demo-records.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const LONG_MS = 30_000;
const ID = 'spiffe://elsewhere.example/agents/stranger';

const line = (decisionId: string, peer: string, traceId?: string, direction = 'inbound'): string =>
  `${JSON.stringify({ decision_id: decisionId, trace_id: traceId, sallyport: { peer, direction } })}\n`;

test('the record of a request is found by its trace, among others of the same peer', async (context) => {
  const journal = join(await tempFolder(context), 'journal');
  await writeFile(journal, line('1', ID) + line('2', ID, 'aa') + line('3', ID, 'bb') + line('4', 'x', 'cc'));
  assert.equal(
    (await findRecord(journal, { traceId: 'bb', peer: ID, direction: 'inbound' }, LONG_MS))?.decision_id,
    '3',
  );
});

test('that of a connection refused before a request by the ID it claimed', async (context) => {
  const journal = join(await tempFolder(context), 'journal');
  await writeFile(journal, line('1', 'other') + line('2', ID, 'aa') + line('3', ID) + line('4', ID));
  assert.equal(
    (await findRecord(journal, { traceId: 'never sent', peer: ID, direction: 'inbound' }, LONG_MS))?.decision_id,
    '3',
  );
});

test('a record that is on its way is waited for, a torn line is none', async (context) => {
  const journal = join(await tempFolder(context), 'journal');
  const whole = line('1', ID, 'aa');
  await writeFile(journal, whole.slice(0, 20));
  const found = findRecord(journal, { traceId: 'aa', peer: 'y', direction: 'inbound' }, LONG_MS);
  await appendFile(journal, whole.slice(20));
  assert.equal((await found)?.decision_id, '1');
});

test('what does not come is undefined', async (context) => {
  const journal = join(await tempFolder(context), 'journal');
  await writeFile(journal, line('1', 'other', 'aa'));
  assert.equal(await findRecord(journal, { traceId: 'bb', peer: ID, direction: 'inbound' }, 1), undefined);
});

test('an agent that is called and calls another for it has two records of one trace', async (context) => {
  const journal = join(await tempFolder(context), 'journal');
  await writeFile(journal, line('1', ID, 'aa') + line('2', ID, 'aa', 'outbound'));
  const found = await findRecord(journal, { traceId: 'aa', peer: ID, direction: 'outbound' }, LONG_MS);
  assert.equal(found?.decision_id, '2');
});
