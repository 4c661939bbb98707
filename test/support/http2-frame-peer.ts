import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';

/** Frame types (RFC 9113 section 6). */
export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Flags; `ack` and `endStream` are the same bit of different frames. */
export const FLAG = { none: 0, endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** Error codes (RFC 9113 section 7). */
export const CODE = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  refusedStream: 7,
  cancel: 8,
  enhanceYourCalm: 11,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export type Frame = {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
};

/** Any frame at all; nothing is checked. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** A 32-bit number as payload: RST_STREAM's code, WINDOW_UPDATE's increment. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** SETTINGS payload: `[identifier, value]` pairs. */
export function settings(pairs: readonly (readonly [number, number])[]): Buffer {
  return Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 0xff]), uint32(value)])));
}

/**
 * A header block of literal fields without indexing and without Huffman coding (RFC 7541 section 6.2.2): no state, so blocks may be cut,
 * repeated and reordered at will.
 */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** The four pseudo-header fields of an ordinary request, then `more`. */
export function requestBlock(
  path = '/',
  more: readonly (readonly [string, string])[] = [],
  method: string = 'GET',
): Buffer {
  const pseudo = [
    [':method', method],
    [':scheme', 'https'],
    [':authority', 'agent.test'],
    [':path', path],
  ] as const;
  return headerBlock([...pseudo, ...more]);
}

/** A whole request in one HEADERS frame. */
export function getFrame(streamId: number, path = '/'): Buffer {
  return frame(TYPE.headers, FLAG.endStream | FLAG.endHeaders, streamId, requestBlock(path));
}

/** HEADERS of a request whose body follows. */
export function postFrame(streamId: number, path = '/', more: readonly (readonly [string, string])[] = []): Buffer {
  return frame(TYPE.headers, FLAG.endHeaders, streamId, requestBlock(path, more, 'POST'));
}

/** A string literal with its length as a 7-bit prefix integer (RFC 7541 sections 5.1, 5.2). */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

export type FrameTarget = {
  readonly port: number;
  readonly host?: string;
  readonly tls?: ConnectionOptions;
  /** Sent after the preface; null sends nothing at all, not even the preface, and answers nothing. */
  readonly settings?: readonly (readonly [number, number])[] | null;
  /** Default true. */
  readonly answersPings?: boolean;
};

/**
 * An HTTP/2 client that sends any frame in any order and shows every frame that came back. It answers nothing by itself but SETTINGS and PING.
 */
export class FramePeer {
  readonly socket: Socket;
  /** Every frame received, in order. */
  readonly frames: Frame[] = [];
  /** Settles when the connection is gone. */
  readonly ended: Promise<void>;
  readonly #answersSettings: boolean;
  readonly #answersPings: boolean;
  #buffer: Buffer = Buffer.alloc(0);
  #taken = new Set<Frame>();
  #over = false;
  #wake: (() => void)[] = [];

  constructor(socket: Socket, { settings: first, answersPings = true }: Omit<FrameTarget, 'port'> = {}) {
    this.socket = socket;
    this.#answersSettings = first !== null;
    this.#answersPings = answersPings;
    socket.setNoDelay();
    socket.on('data', (bytes: Buffer) => this.#parse(bytes));
    socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        this.#over = true;
        this.#notify();
        resolve();
      });
    });
  }

  send(...bytes: readonly Uint8Array[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(bytes));
  }

  /** Takes the first frame not taken before that matches; fails when the connection ends before one came. */
  async next(type: number, match: (frame: Frame) => boolean = () => true): Promise<Frame> {
    for (;;) {
      const found = this.frames.find((each) => each.type === type && !this.#taken.has(each) && match(each));
      if (found !== undefined) {
        this.#taken.add(found);
        return found;
      }
      if (this.#over) throw new Error(`connection ended without a frame of type ${type}; got ${this.summary()}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** Waits until the peer has handled everything sent so far: PING and its acknowledgement. */
  async roundTrip(): Promise<void> {
    this.send(frame(TYPE.ping, 0, 0, Buffer.from('barrier!')));
    await this.next(TYPE.ping, ({ flags }) => (flags & FLAG.ack) !== 0);
  }

  /** `type:stream` of all frames, for messages. */
  summary(): string {
    return this.frames.map(({ type, streamId }) => `${type}:${streamId}`).join(' ');
  }

  close(): void {
    this.socket.destroy();
  }

  #parse(bytes: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    for (;;) {
      if (this.#buffer.length < 9) break;
      const length = this.#buffer.readUIntBE(0, 3);
      if (this.#buffer.length < 9 + length) break;
      this.#received({
        type: this.#buffer[3] ?? 0,
        flags: this.#buffer[4] ?? 0,
        streamId: this.#buffer.readUInt32BE(5) & 0x7fffffff,
        payload: this.#buffer.subarray(9, 9 + length),
      });
      this.#buffer = this.#buffer.subarray(9 + length);
    }
    this.#notify();
  }

  #received(received: Frame): void {
    this.frames.push(received);
    const { type, flags, payload } = received;
    if ((flags & FLAG.ack) !== 0) return;
    if (type === TYPE.settings && this.#answersSettings) this.send(frame(TYPE.settings, FLAG.ack, 0));
    if (type === TYPE.ping && this.#answersPings) this.send(frame(TYPE.ping, FLAG.ack, 0, payload));
  }

  #notify(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const resolve of waiting) resolve();
  }
}

/** Error code of a RST_STREAM or GOAWAY frame. */
export function codeOf({ type, payload }: Frame): number {
  return payload.readUInt32BE(type === TYPE.goaway ? 4 : 0);
}

/** Connects and sends the preface and SETTINGS. */
export async function connectFrames(target: FrameTarget): Promise<FramePeer> {
  const { port, host = '127.0.0.1', tls } = target;
  const socket = tls === undefined ? connectTcp(port, host) : connectTls({ port, host, ALPNProtocols: ['h2'], ...tls });
  const peer = new FramePeer(socket, target);
  await once(socket, tls === undefined ? 'connect' : 'secureConnect');
  const first = target.settings === undefined ? [] : target.settings;
  if (first !== null) peer.send(PREFACE, frame(TYPE.settings, 0, 0, settings(first)));
  return peer;
}
