import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import * as fc from 'fast-check';

import { verifyLogFiles } from '../../../src/cli/verify-log-files.ts';
import { readSeal } from '../../../src/core/record/chain.ts';
import { openAuthorityStore } from '../../../src/io/authority/authority-store.ts';
import { encodeIssuanceRecord } from '../../../src/io/authority/issuance-record.ts';
import { LOG_FILE, moveRecordsToLog } from '../../../src/io/authority/issuance-log.ts';
import { appendLost, countPending, pendingRecords } from '../../../src/io/authority/record-rows.ts';
import { valueOf } from '../../support/authority-world.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { AuthorityStore } from '../../../src/io/authority/authority-store.ts';
import type { IssuanceRecord } from '../../../src/io/authority/issuance-record.ts';

const AT = 1_700_000_000_000;

function record(number: number): IssuanceRecord {
  return { event: 'revoked', atMs: AT, spiffeId: 'spiffe://example.org/a', serial: String(number), reason: 'x' };
}

type LogWorld = {
  readonly store: AuthorityStore;
  readonly path: string;
  /** Stores records with these numbers, in one transaction. */
  readonly add: (...numbers: readonly number[]) => void;
  readonly move: () => number;
  /** Numbers in the file, of whole lines that are records. */
  readonly numbers: () => Promise<readonly number[]>;
};

async function world(context: TestContext): Promise<LogWorld> {
  const store = openAuthorityStore(join(await tempFolder(context), 'ca'));
  context.after(() => store.close());
  const path = join(store.folder, LOG_FILE);
  return {
    store,
    path,
    add: (...numbers) => {
      valueOf(store.write((transaction) => numbers.forEach((number) => transaction.record(record(number)))));
    },
    move: () => valueOf(moveRecordsToLog(store, AT)),
    numbers: async () => {
      const lines = (await readFile(path, 'utf8')).split('\n');
      const whole = lines.filter((line) => line.startsWith('{"event"') && readSeal(Buffer.from(line))?.intact === true);
      return whole.map((line) => Number((JSON.parse(line) as { sallyport: { serial: string } }).sallyport.serial));
    },
  };
}

/** Makes the database forget that it gave records to the file: what a process that dies between the two leaves behind. */
function remember(store: AuthorityStore, rows: readonly { readonly number: number; readonly line: string }[]): void {
  const insert = 'INSERT INTO records (number, line) VALUES (?, ?)';
  valueOf(
    store.write(({ database }) => rows.forEach(({ number, line }) => database.prepare(insert).run(number, line))),
  );
}

describe('records', () => {
  test('go to the file in order, once, and the chain goes on over restarts', async (context) => {
    const { store, path, add, move, numbers } = await world(context);
    add(1, 2);
    assert.equal(move(), 2);
    assert.equal(move(), 0);
    add(3);
    const again = openAuthorityStore(store.folder);
    context.after(() => again.close());
    assert.equal(valueOf(moveRecordsToLog(again, AT)), 1);
    assert.deepEqual(await numbers(), [1, 2, 3]);
    const verdict = await verifyLogFiles([path]);
    assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.torn, verdict.joined], [3, 0, 0]);
  });

  test('are not in the file where their transaction failed', async (context) => {
    const { store, add, move, numbers } = await world(context);
    store.write((transaction) => {
      transaction.record(record(1));
      transaction.database.exec('INSERT INTO nothing VALUES (1)');
    });
    add(2);
    move();
    assert.deepEqual(await numbers(), [2]);
  });

  test('of many batches are all moved', async (context) => {
    const { add, move, numbers } = await world(context);
    const all = Array.from({ length: 1_234 }, (_, index) => index);
    add(...all);
    assert.equal(move(), all.length);
    assert.deepEqual(await numbers(), all);
  });

  test('that are in the file already, because the process died before the database knew, are not written again', async (context) => {
    const { store, path, add, move, numbers } = await world(context);
    add(1, 2, 3);
    const rows = valueOf(store.read((database) => pendingRecords(database, 9)));
    move();
    remember(store, rows);
    add(4);
    move();
    assert.deepEqual(await numbers(), [1, 2, 3, 4]);
    remember(store, rows.slice(0, 2));
    assert.equal((await verifyLogFiles([path])).kind, 'sound');
  });

  test('whatever of a batch reached the file when the process died: all of them once, and the log verifies', async (context) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(2_000), fc.boolean(), async (cut, more) => {
        const { store, path, add, move, numbers } = await world(context);
        add(1);
        move();
        add(2, 3, 4);
        const rows = valueOf(store.read((database) => pendingRecords(database, 9)));
        const before = (await readFile(path)).length;
        move();
        const { length } = await readFile(path);
        await truncate(path, before + (cut % (length - before + 1)));
        remember(store, rows);
        if (more) add(5);
        move();
        assert.deepEqual(await numbers(), more ? [1, 2, 3, 4, 5] : [1, 2, 3, 4]);
        const verdict = await verifyLogFiles([path]);
        assert.equal(verdict.kind, 'sound', JSON.stringify(verdict));
        assert.equal(valueOf(store.read(countPending)), 0);
      }),
      { numRuns: 25 },
    );
  });

  test('that were lost are said by a notice, and the log verifies', async (context) => {
    const { store, path, add, move, numbers } = await world(context);
    add(1);
    valueOf(store.write(({ database }) => appendLost(database, 7, record(99), AT)));
    const rows = valueOf(store.read((database) => pendingRecords(database, 9)));
    move();
    remember(store, rows);
    add(2);
    move();
    assert.deepEqual(await numbers(), [1, 2]);
    const verdict = await verifyLogFiles([path]);
    assert.deepEqual(verdict.kind === 'sound' && verdict.lost, 7);
  });
});

describe('the file', () => {
  test('that was renamed is gone on with in a new one, and both together verify', async (context) => {
    const { path, add, move } = await world(context);
    add(1, 2);
    move();
    await rename(path, `${path}.1`);
    add(3);
    move();
    const verdict = await verifyLogFiles([`${path}.1`, path]);
    assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.restarts], [3, 0]);
  });

  test('into which somebody wrote something else: what we write after it says so', async (context) => {
    const { path, add, move } = await world(context);
    add(1);
    move();
    await appendFile(path, 'somebody was here\n');
    add(2);
    move();
    const verdict = await verifyLogFiles([path]);
    assert.deepEqual(verdict.kind === 'sound' && verdict.torn, 1);
  });

  test('whose line was changed afterwards does not verify', async (context) => {
    const { path, add, move } = await world(context);
    add(1, 2);
    move();
    const text = await readFile(path, 'utf8');
    await rm(path);
    await appendFile(path, text.replace('"serial":"1"', '"serial":"7"'));
    assert.deepEqual((await verifyLogFiles([path])).kind, 'broken');
  });

  test('that cannot be written keeps the records in the database until it can', async (context) => {
    const { store, path, add, move, numbers } = await world(context);
    await mkdir(path);
    add(1);
    const moved = moveRecordsToLog(store, AT);
    assert.match(moved.ok ? '' : moved.error, /issuance\.jsonl: EISDIR/);
    add(2);
    await rm(path, { recursive: true });
    assert.equal(move(), 2);
    assert.deepEqual(await numbers(), [1, 2]);
  });
});

test('a record is one line of JSON, whatever callers put into it', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('"}}\n', '\u2028', '","prev":"', '\\'));
  fc.assert(
    fc.property(text, text, text, (detail, source, name) => {
      const caller = { method: 'kubernetes', source, serviceAccount: name, pod: { name, uid: name } } as const;
      const fault = { kind: 'caller_refused', detail } as const;
      const open = encodeIssuanceRecord({ event: 'refused', atMs: AT, caller, spiffeId: name, fault });
      const parsed = JSON.parse(`${open}"end":1}}`) as { sallyport: Record<string, string> };
      const expected = source === '' ? undefined : source.slice(0, 1_024).toWellFormed();
      return !/[\n\r\u2028]/.test(open) && parsed.sallyport['source']?.toWellFormed() === expected;
    }),
  );
});
