import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { frame, FramePeer, PREFACE, settings, TYPE } from './http2-frame-peer.ts';
import { Http1Reader, type Http1Message } from './http1-reader.ts';

/** An upstream that does what a test tells it, however wrong. */
export type ScriptedUpstream = {
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: () => number;
  readonly close: () => Promise<void>;
};

/** One HTTP/1.1 connection of such an upstream. */
export class ScriptedConnection {
  readonly socket: Socket;
  /** Settles when the other side has ended the connection; true where it was reset. */
  readonly closed: Promise<boolean>;
  /** All bytes received so far. */
  raw: Buffer = Buffer.alloc(0);
  readonly #requests: Http1Message[] = [];
  #waiting: (() => void)[] = [];
  #over = false;

  constructor(socket: Socket) {
    this.socket = socket;
    const reader = new Http1Reader((message) => this.#requests.push(message));
    socket.on('data', (bytes: Buffer) => {
      this.raw = Buffer.concat([this.raw, bytes]);
      reader.push(bytes);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      let wasReset = false;
      const over = (): void => {
        this.#over = true;
        this.#wake();
        resolve(wasReset);
      };
      socket.on('error', () => (wasReset = true));
      socket.on('end', over).on('close', over);
    });
  }

  /** The next complete request. */
  async request(): Promise<Http1Message> {
    await this.until(() => this.#requests.length > 0);
    return this.#requests.shift() as Http1Message;
  }

  /** Waits for the head of a request, whatever of its body is there. */
  async head(): Promise<string> {
    await this.until(() => this.raw.includes('\r\n\r\n'));
    return this.raw.toString('latin1', 0, this.raw.indexOf('\r\n\r\n'));
  }

  /** Waits until `condition` holds, looking after each read; fails when the connection ends before. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#over)
        throw new Error(`the connection ended early; received ${JSON.stringify(this.raw.toString('latin1'))}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Sends bytes as they are. */
  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** An HTTP/1.1 upstream; `script` runs for each connection, with its number from 0. What it throws ends the connection. */
export function scriptedUpstream(
  script: (connection: ScriptedConnection, index: number) => void | Promise<void>,
): Promise<ScriptedUpstream> {
  return listen(async (socket, index) => {
    await script(new ScriptedConnection(socket), index);
  });
}

/**
 * An h2c upstream below the level of any library: SETTINGS are sent (`first`) and acknowledged, everything else is the script's. Its `FramePeer`
 * sees the frames after the client's preface.
 */
export function frameUpstream(
  script: (peer: FramePeer, index: number) => void | Promise<void>,
  first: readonly (readonly [number, number])[] = [],
): Promise<ScriptedUpstream> {
  return listen(async (socket, index) => {
    await preface(socket);
    const peer = new FramePeer(socket);
    socket.resume();
    peer.send(frame(TYPE.settings, 0, 0, settings(first)));
    await script(peer, index);
  });
}

async function preface(socket: Socket): Promise<void> {
  let seen: Buffer = Buffer.alloc(0);
  while (seen.length < PREFACE.length) {
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    seen = Buffer.concat([seen, bytes]);
  }
  socket.pause();
  if (seen.length > PREFACE.length) socket.unshift(seen.subarray(PREFACE.length));
}

async function listen(serve: (socket: Socket, index: number) => Promise<void>): Promise<ScriptedUpstream> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    serve(socket, accepted++).catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
