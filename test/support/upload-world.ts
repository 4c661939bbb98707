import assert from 'node:assert/strict';

import { createJournal, type Journal } from '../../src/io/journal/journal.ts';
import { DEFAULT_JOURNAL, type JournalSettings } from '../../src/io/journal/settings.ts';
import { createDrivenClock } from './driven-clock.ts';
import { createScriptedReceiver } from './scripted-receiver.ts';
import { until } from './until.ts';

export const TAKEN = { kind: 'taken' } as const;
export const DOWN = { kind: 'failed', code: 'HTTP_503', detail: 'answered 503', retryAfterMs: undefined } as const;
const URL = 'https://logs.test/logs?key=secret';

/** A journal with one receiver that answers what the test says, on a clock of the test. */
export async function uploadWorld(
  target: Readonly<Record<string, number>> = {},
  settings: Partial<JournalSettings> = {},
) {
  const receiver = createScriptedReceiver();
  const clock = createDrivenClock();
  const said: string[] = [];
  const log = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    void said.push(`${message} ${JSON.stringify(fields)}`);
  const sink = { kind: 'http', url: URL, maxBytes: 262_144, minDelay: 1_000, maxDelay: 3_000, ...target } as const;
  const journal = createJournal(
    { ...DEFAULT_JOURNAL, sinks: [sink], ...settings },
    {
      clock,
      timer: clock.timer,
      log: { info: log, error: log },
      random: (length) => new Uint8Array(length),
      receiver: () => receiver,
    },
  );
  await journal.start();
  return { receiver, clock, said, journal };
}

export type UploadWorld = Awaited<ReturnType<typeof uploadWorld>>;

/** Writes a line into room taken before; gives it. */
export function put(journal: Journal, line: string): string {
  assert.ok(journal.reserve());
  journal.write(line);
  return line;
}

/** Until an upload waits for its answer. */
export async function asked(at: UploadWorld): Promise<void> {
  await until('an upload', () => at.receiver.isAsked);
}
