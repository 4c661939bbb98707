import { gatherBytes } from '../../core/kernel/gather-bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { IncomingMessage } from 'node:http';
import type { Result } from '../../core/kernel/result.ts';

/** Why a body was not read: the status to answer with, and what to say. */
export type BodyRefusal = { readonly status: 400 | 413 | 415 | 429; readonly detail: string };

/**
 * Bytes of bodies that are being read, all together. Where there is no room left, the largest body makes some: who sends many large ones, slowly, must not keep the
 * API server's out.
 */
export type BodyRoom = { used: number; readonly maxBytes: number; readonly readings: Set<Reading> };

/** A body that is being read. */
type Reading = { taken: number; readonly request: Pick<IncomingMessage, 'destroy'> };

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the whole body of a request as text: announced as JSON (RFC 8259; parameters say nothing there), within `maxBytes`, within the room of all, UTF-8. */
export async function readReview(
  request: IncomingMessage,
  maxBytes: number,
  room: BodyRoom,
): Promise<Result<string, BodyRefusal>> {
  const { headers } = request;
  if (!/^application\/json(?:[ \t]*;.*)?$/i.test(headers['content-type'] ?? ''))
    return err({ status: 415, detail: 'the body has to be application/json' });
  if (headers['content-encoding'] !== undefined)
    return err({ status: 415, detail: 'the body has to come without content-encoding' });
  const tooLarge = err({ status: 413, detail: `the body is larger than ${maxBytes} bytes` } as const);
  if (Number(headers['content-length'] ?? 0) > maxBytes) return tooLarge;
  const reading: Reading = { taken: 0, request };
  room.readings.add(reading);
  try {
    const bytes = await gatherBytes(within(request as AsyncIterable<Uint8Array>, room, reading), maxBytes);
    return bytes === undefined ? tooLarge : ok(UTF8.decode(bytes));
  } catch (error) {
    if (error instanceof NoRoom) return err({ status: 429, detail: 'too many requests at once' });
    return err({ status: 400, detail: error instanceof TypeError ? 'the body is no UTF-8' : 'the body was cut off' });
  } finally {
    leave(room, reading);
  }
}

/** Gives back what it took; a second time there is nothing left to give. */
function leave(room: BodyRoom, reading: Reading): void {
  room.readings.delete(reading);
  room.used -= reading.taken;
  reading.taken = 0;
}

class NoRoom extends Error {}

/** The pieces as they come; ends with `NoRoom` where all that are being read would hold too much and none is larger. */
async function* within(
  pieces: AsyncIterable<Uint8Array>,
  room: BodyRoom,
  reading: Reading,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    room.used += piece.length;
    reading.taken += piece.length;
    while (room.used > room.maxBytes) makeRoom(room, reading);
    yield piece;
  }
}

function makeRoom(room: BodyRoom, newest: Reading): void {
  const largest = [...room.readings].reduce((a, b) => (b.taken > a.taken ? b : a), newest);
  if (largest === newest) throw new NoRoom();
  leave(room, largest);
  largest.request.destroy();
}
