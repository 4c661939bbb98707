import { gatherBytes } from '../../core/kernel/gather-bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { IncomingMessage } from 'node:http';
import type { Result } from '../../core/kernel/result.ts';

/** Why a body was not read: the status to answer with, and what to say. */
export type BodyRefusal = { readonly status: 400 | 413 | 415 | 429; readonly detail: string };

/** Bytes of bodies that are being read, all together. */
export type BodyRoom = { used: number; readonly maxBytes: number };

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
  const before = { taken: 0 };
  try {
    const bytes = await gatherBytes(within(request as AsyncIterable<Uint8Array>, room, before), maxBytes);
    return bytes === undefined ? tooLarge : ok(UTF8.decode(bytes));
  } catch (error) {
    if (error instanceof NoRoom) return err({ status: 429, detail: 'too many requests at once' });
    return err({ status: 400, detail: error instanceof TypeError ? 'the body is no UTF-8' : 'the body was cut off' });
  } finally {
    room.used -= before.taken;
  }
}

class NoRoom extends Error {}

/** The pieces as they come; ends with `NoRoom` where all that are being read would hold too much. */
async function* within(
  pieces: AsyncIterable<Uint8Array>,
  room: BodyRoom,
  before: { taken: number },
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    room.used += piece.length;
    before.taken += piece.length;
    if (room.used > room.maxBytes) throw new NoRoom();
    yield piece;
  }
}
