import { appendFile, readFile } from 'node:fs/promises';

import * as z from 'zod';

import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';

/** One line of the log of an authority. Times as RFC 3339. */
export type AuthorityEvent = z.output<typeof event>;

const event = z.discriminatedUnion('event', [
  z.strictObject({
    event: z.literal('issued'),
    at: z.iso.datetime(),
    serial: z.string(),
    id: z.string(),
    notAfter: z.iso.datetime(),
  }),
  z.strictObject({ event: z.literal('revoked'), at: z.iso.datetime(), serial: z.string() }),
]);

/** Appends one line: small enough for the system to write it whole, so that two commands at once lose nothing. */
export async function appendEvent(path: string, entry: AuthorityEvent): Promise<void> {
  await appendFile(path, `${JSON.stringify(entry)}\n`, { mode: 0o600, flush: true });
}

/** All events in order; none where there is no log yet. A line that is none is a fault: a revocation must not be forgotten. */
export async function readEvents(path: string): Promise<Result<readonly AuthorityEvent[], string>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ok([]);
    throw error;
  }
  const events: AuthorityEvent[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const parsed = event.safeParse(parse(line));
    if (!parsed.success) return err(`${path}:${index + 1}: not a line of an authority's log`);
    events.push(parsed.data);
  }
  return ok(events);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
