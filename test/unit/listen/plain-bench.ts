import { randomBytes } from 'node:crypto';

import { DEFAULT_LIMITS, type Limits } from '../../../src/core/model/limits.ts';
import { createPlainListener } from '../../../src/io/listen/plain-listener.ts';
import type { Listener } from '../../../src/io/listen/port-listener.ts';
import type { PlainListenSettings, UnixSocket } from '../../../src/io/listen/settings.ts';
import { connectFrames, type FramePeer, type FrameTarget } from '../../support/http2-frame-peer.ts';
import { connectRaw, type RawPeer } from '../../support/raw-http1-peer.ts';
import { FakeHandler, PushedClock } from './harness.ts';

/** A cleartext listener on loopback with a fake handler; everything connected through it is closed with it. */
export class PlainBench implements AsyncDisposable {
  readonly handler = new FakeHandler();
  readonly clock = new PushedClock();
  readonly problems: unknown[] = [];
  readonly listener: Listener<PlainListenSettings>;
  readonly settings: PlainListenSettings;
  port = 0;
  readonly #open: { close(): void }[] = [];

  constructor(limits: Partial<Limits> = {}, unixSocket?: UnixSocket) {
    this.handler.judge = () => ({ kind: 'anonymous' });
    this.handler.judgeAgain = () => ({ kind: 'anonymous' });
    const all = { ...DEFAULT_LIMITS, ...limits };
    this.settings = { host: '127.0.0.1', port: 0, name: 'plain:0', limits: all, unixSocket };
    this.listener = createPlainListener(this.settings, {
      handler: this.handler,
      clock: this.clock,
      random: (length) => randomBytes(length),
      problem: (error) => this.problems.push(error),
    });
  }

  static async start(limits: Partial<Limits> = {}): Promise<PlainBench> {
    const bench = new PlainBench(limits);
    bench.port = (await bench.listener.start()).port;
    return bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#open) each.close();
    await this.listener.stop(0);
  }

  async raw(): Promise<RawPeer> {
    return this.keep(await connectRaw({ port: this.port }));
  }

  async frames(more: Pick<FrameTarget, 'settings' | 'answersPings'> = {}): Promise<FramePeer> {
    return this.keep(await connectFrames({ port: this.port, ...more }));
  }

  keep<T extends { close(): void }>(peer: T): T {
    this.#open.push(peer);
    return peer;
  }

  /** Another connection goes on working. */
  async works(): Promise<boolean> {
    const peer = await this.raw();
    peer.send('GET /works HTTP/1.1\r\nHost: agent.test\r\n\r\n');
    const { status } = await peer.response();
    peer.close();
    return status === 200;
  }
}
