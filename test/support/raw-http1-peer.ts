import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';

/** Where to connect. Without `tls` the bytes go in the clear. */
export type RawTarget = { readonly port: number; readonly host?: string; readonly tls?: ConnectionOptions };

/** One HTTP/1.x response as it stood on the wire. */
export type RawResponse = {
  readonly statusLine: string;
  readonly status: number;
  /** Names as sent. */
  readonly headers: readonly (readonly [string, string])[];
  /** After chunked coding was undone, if there was any. */
  readonly body: string;
  /** Of a chunked body. */
  readonly trailers: readonly (readonly [string, string])[];
};

/** How a connection ended: `end` after the other side's FIN (close_notify), `reset` on an error. */
export type RawEnding = 'end' | 'reset';

type Head = Pick<RawResponse, 'statusLine' | 'status' | 'headers'>;

/**
 * An HTTP/1.x client that sends exactly the bytes it is told, in the pieces it is told, and shows the bytes that came back.
 * Text is Latin-1, so that one character is one byte.
 */
export class RawPeer {
  readonly socket: Socket;
  /** Settles when the connection is gone. */
  readonly ended: Promise<RawEnding>;
  #received = '';
  #over = false;
  #wake: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    let failed = false;
    socket.setNoDelay();
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#notify();
    });
    socket.on('error', () => (failed = true));
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        this.#over = true;
        this.#notify();
        resolve(failed ? 'reset' : 'end');
      });
    });
  }

  /** Sends bytes as they are. */
  send(bytes: string | Uint8Array): void {
    if (typeof bytes === 'string') this.socket.write(bytes, 'latin1');
    else this.socket.write(bytes);
  }

  /** What has been received and not yet been taken. */
  get received(): string {
    return this.#received;
  }

  /** Takes the received bytes up to and including the first `mark`; fails when the connection ends before it came. */
  async until(mark: string): Promise<string> {
    for (;;) {
      const at = this.#received.indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      await this.#more(`waiting for ${JSON.stringify(mark)}`);
    }
  }

  /** Takes exactly `length` bytes. */
  async exactly(length: number): Promise<string> {
    while (this.#received.length < length) await this.#more(`waiting for ${length} bytes`);
    return this.#take(length);
  }

  /** Takes everything up to the end of the connection. */
  async rest(): Promise<string> {
    await this.ended;
    return this.#take(this.#received.length);
  }

  /** Takes one response head, informational ones included. */
  async head(): Promise<Head> {
    const [statusLine = '', ...lines] = (await this.until('\r\n\r\n')).slice(0, -4).split('\r\n');
    return { statusLine, status: Number(statusLine.split(' ')[1]), headers: lines.map(field) };
  }

  /** Takes one whole response (RFC 9112 section 6.3). `method` says to what: a response to HEAD has no body. */
  async response(method = 'GET'): Promise<RawResponse> {
    const head = await this.head();
    const { status } = head;
    const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
    const length = valueOf(head, 'content-length');
    if (bodiless) return { ...head, body: '', trailers: [] };
    if (valueOf(head, 'transfer-encoding') === 'chunked') return { ...head, ...(await this.#chunked()) };
    const body = length === undefined ? await this.rest() : await this.exactly(Number(length));
    return { ...head, body, trailers: [] };
  }

  close(): void {
    this.socket.destroy();
  }

  async #chunked(): Promise<{ readonly body: string; readonly trailers: RawResponse['trailers'] }> {
    let body = '';
    for (;;) {
      const size = Number.parseInt(await this.until('\r\n'), 16);
      if (size === 0) break;
      body += await this.exactly(size);
      await this.until('\r\n');
    }
    const trailers: (readonly [string, string])[] = [];
    for (let line = await this.until('\r\n'); line !== '\r\n'; line = await this.until('\r\n'))
      trailers.push(field(line.slice(0, -2)));
    return { body, trailers };
  }

  #take(length: number): string {
    const taken = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return taken;
  }

  #more(purpose: string): Promise<void> {
    if (this.#over) throw new Error(`connection ended ${purpose}; received ${JSON.stringify(this.#received)}`);
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const resolve of waiting) resolve();
  }
}

/** Connects, and waits for the TLS handshake where there is one. */
export async function connectRaw(target: RawTarget): Promise<RawPeer> {
  const { port, host = '127.0.0.1', tls } = target;
  const socket = tls === undefined ? connectTcp(port, host) : connectTls({ port, host, ...tls });
  const peer = new RawPeer(socket);
  await once(socket, tls === undefined ? 'connect' : 'secureConnect');
  return peer;
}

/** First value of a header field, name in lower case. */
export function valueOf(response: Pick<RawResponse, 'headers'>, name: string): string | undefined {
  return response.headers.find(([key]) => key.toLowerCase() === name)?.[1];
}

function field(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}
