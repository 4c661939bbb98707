import { createJournal } from '../../../src/io/journal/journal.ts';
import { DEFAULT_JOURNAL } from '../../../src/io/journal/settings.ts';
import { createLineMaker } from '../journal-lines.ts';

/*
 * A process that writes records to its standard output until it has no room, tells so on its channel, then goes on once there is room again.
 * Messages: `full` with the records written so far; `done` with the number of records that could not be written.
 */
function tell(message: Readonly<Record<string, unknown>>, last = false): void {
  process.send?.(message, undefined, undefined, () => {
    if (last) process.disconnect?.();
  });
}

const records = Number(process.argv[2]);
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const log = {
  info: () => undefined,
  error: (fields: Readonly<Record<string, unknown>>) => tell({ kind: 'failing', code: fields['code'] }),
};
const settings = { ...DEFAULT_JOURNAL, queueRecords: 500, waitMs: 60_000, sinks: [{ kind: 'stdout' }] } as const;
const journal = createJournal(settings, { clock, log });
await journal.start();
const line = createLineMaker();
let written = 0;
let told = false;

function next(): void {
  while (written < records) {
    if (!journal.reserve()) {
      if (!told) tell({ kind: 'full', written });
      told = true;
      journal.reserveLater((reserved) => {
        if (reserved) put();
      });
      return;
    }
    put(false);
  }
  void journal.stop(10_000).then((unwritten) => tell({ kind: 'done', unwritten }, true));
}

function put(goOn = true): void {
  written += 1;
  journal.write(line());
  if (goOn) next();
}

process.on('message', () => {
  void journal.stop(0).then((unwritten) => tell({ kind: 'stopped', unwritten }, true));
});
next();
