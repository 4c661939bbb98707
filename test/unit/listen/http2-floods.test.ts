import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  CODE,
  codeOf,
  FLAG,
  type Frame,
  frame,
  type FramePeer,
  getFrame,
  postFrame,
  requestBlock,
  settings,
  TYPE,
  uint32,
} from '../../support/http2-frame-peer.ts';
import { Bench, endingOf, until } from './harness.ts';

function repeat(bytes: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => bytes));
}

/** Identifiers of client streams, from the first. */
function streamIds(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => 2 * i + 1);
}

/** RST_STREAM as a client sends it that wants no answer any more. */
function cancel(id: number): Buffer {
  return frame(TYPE.rstStream, 0, id, uint32(CODE.cancel));
}

const PING = frame(TYPE.ping, 0, 0, Buffer.alloc(8));

type Flood = {
  readonly name: string;
  readonly send: (peer: FramePeer) => void | Promise<void>;
  /** Codes of GOAWAY that the peer may see, if one still reaches it; whoever finds the flood first says it. */
  readonly codes: readonly number[];
};

/** Sends in pieces and reads what comes back, so that nothing piles up unread and nghttp2's own bound on that stays out of it. */
async function politely(peer: FramePeer, bytes: Buffer, times: number): Promise<void> {
  for (let i = 0; i < times && peer.socket.writable; i++) {
    peer.send(bytes);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const FLOODS: readonly Flood[] = [
  {
    name: 'PING, answers read (CVE-2019-9512)',
    send: (peer) => politely(peer, repeat(PING, 500), 200),
    codes: [CODE.enhanceYourCalm],
  },
  {
    name: 'PING, answers unread (CVE-2019-9512)',
    send: (peer) => {
      peer.socket.pause();
      for (let i = 0; i < 20; i++) peer.send(repeat(PING, 20_000));
      peer.socket.resume();
    },
    codes: [CODE.enhanceYourCalm, CODE.internalError],
  },
  {
    name: 'SETTINGS (CVE-2019-9515)',
    send: (peer) => politely(peer, repeat(frame(TYPE.settings, 0, 0, settings([[3, 100]])), 500), 200),
    codes: [CODE.enhanceYourCalm, CODE.internalError],
  },
  {
    name: 'empty SETTINGS',
    send: (peer) => politely(peer, repeat(frame(TYPE.settings, 0, 0), 500), 200),
    codes: [CODE.enhanceYourCalm, CODE.internalError],
  },
  {
    name: 'WINDOW_UPDATE of the connection',
    send: (peer) => politely(peer, repeat(frame(TYPE.windowUpdate, 0, 0, uint32(1)), 2_000), 200),
    codes: [CODE.enhanceYourCalm],
  },
  {
    name: 'WINDOW_UPDATE of a stream',
    send: (peer) => {
      peer.send(getFrame(1));
      return politely(peer, repeat(frame(TYPE.windowUpdate, 0, 1, uint32(1)), 2_000), 200);
    },
    codes: [CODE.enhanceYourCalm],
  },
  {
    name: 'PRIORITY (CVE-2019-9513)',
    send: (peer) => {
      peer.send(getFrame(1));
      return politely(peer, repeat(frame(TYPE.priority, 0, 1, Buffer.from([0, 0, 0, 0, 16])), 2_000), 200);
    },
    codes: [CODE.enhanceYourCalm],
  },
  {
    name: 'frames of no known type',
    send: (peer) => politely(peer, repeat(frame(0x4d, 0, 0), 2_000), 200),
    codes: [CODE.enhanceYourCalm],
  },
  {
    name: 'empty DATA (CVE-2019-9518)',
    send: (peer) => {
      peer.send(postFrame(1), repeat(frame(TYPE.data, 0, 1), 20_000));
    },
    codes: [CODE.internalError],
  },
  {
    name: 'CONTINUATION without end (CVE-2024-27983)',
    send: (peer) => {
      peer.send(
        frame(TYPE.headers, FLAG.endStream, 1, requestBlock()),
        repeat(frame(TYPE.continuation, 0, 1), 100_000),
      );
    },
    codes: [CODE.internalError],
  },
  {
    name: 'CONTINUATION with fields without end',
    send: (peer) => {
      const fields = Buffer.from([0, 1, 0x61, 1, 0x62]);
      peer.send(
        frame(TYPE.headers, FLAG.endStream, 1, requestBlock()),
        repeat(frame(TYPE.continuation, 0, 1, fields), 1_000),
      );
    },
    codes: [CODE.internalError],
  },
  {
    name: 'rapid reset at full speed (CVE-2023-44487)',
    send: (peer) => {
      peer.send(...streamIds(5_000).flatMap((id) => [getFrame(id, '/hang'), cancel(id)]));
    },
    codes: [CODE.enhanceYourCalm, CODE.internalError],
  },
  {
    name: 'rapid reset in steps (CVE-2023-44487)',
    send: async (peer) => {
      for (const id of streamIds(2_000)) {
        if (!peer.socket.writable) break;
        peer.send(getFrame(id, '/hang'), cancel(id));
        if (id % 40 === 1) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
    codes: [CODE.enhanceYourCalm, CODE.internalError],
  },
  {
    name: 'malformed heads, one after the other',
    send: (peer) => {
      const bad = requestBlock('/', [['Upper-Case', '1']]);
      peer.send(...streamIds(400).map((id) => frame(TYPE.headers, FLAG.endStream | FLAG.endHeaders, id, bad)));
    },
    codes: [CODE.enhanceYourCalm, CODE.internalError, CODE.protocolError],
  },
];

for (const { name, send, codes } of FLOODS) {
  test(`HTTP/2 flood: ${name}: counted, closed, told once, others go on`, async () => {
    await using bench = await Bench.start({ limits: { requestTimeoutMs: 200 } });
    bench.handler.onExchange = (exchange) => {
      if (exchange.head.headers.includes('/hang')) return;
      exchange.respondWhole(200, [], Buffer.from('ok'), undefined);
    };
    const peer = await bench.frames();
    await peer.roundTrip();
    await send(peer);
    await peer.ended;
    const goaway: Frame | undefined = peer.frames.find(({ type }) => type === TYPE.goaway);
    if (goaway !== undefined) assert.ok(codes.includes(codeOf(goaway)), `GOAWAY ${codeOf(goaway)}`);
    await until(() => bench.listener.connectionCount === 0);
    const floods = bench.handler.faults.filter((each) => each === 'refused flood');
    assert.deepEqual(floods, ['refused flood'], String(bench.handler.faults.slice(0, 5)));
    assert.equal(bench.handler.faults.filter((each) => !each.startsWith('unreadable')).length, 1);
    assert.ok(bench.handler.told.length < 1_300, 'what a flood can make us do is bounded');
    assert.ok(await bench.works());
    assert.deepEqual(bench.problems, []);
  });
}

test('what is open when a flood is found is told that we ended it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(getFrame(1, '/hang'));
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  await politely(peer, repeat(PING, 500), 200);
  assert.equal(await ending, 'us flood');
  await peer.ended;
  assert.deepEqual(bench.handler.faults, ['refused flood']);
});

test('PING frames are counted one by one, before they are many bytes', async () => {
  await using bench = await Bench.start();
  const peer = await bench.frames();
  await politely(peer, repeat(PING, 600), 5);
  await peer.ended;
  assert.deepEqual(bench.handler.faults, ['refused flood']);
  assert.match((await bench.handler.next('refused')).fault.detail, /PING or SETTINGS/);
});

test('RFC 9113 5.1.2: more streams than allowed at once end the connection', async () => {
  await using bench = await Bench.start({ limits: { concurrentStreams: 10 } });
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  await peer.roundTrip();
  peer.send(...streamIds(300).map((id) => getFrame(id)));
  await peer.ended;
  assert.equal(bench.handler.count('exchange'), 10);
  assert.ok(await bench.works());
});

/** What ordinary and eager clients do. None of it may be taken for a flood. */
const USES: readonly { readonly name: string; readonly run: (peer: FramePeer, bench: Bench) => Promise<void> }[] = [
  {
    name: 'a PING with every answer (gRPC measures bandwidth so)',
    run: async (peer) => {
      for (const id of streamIds(3_000)) {
        peer.send(getFrame(id), PING);
        if (id % 64 === 1) await peer.next(TYPE.data, ({ streamId }) => streamId === id);
      }
    },
  },
  {
    name: 'two WINDOW_UPDATE frames for every DATA frame read',
    run: async (peer) => {
      for (const id of streamIds(3_000)) {
        peer.send(getFrame(id), frame(TYPE.windowUpdate, 0, 0, uint32(2)), frame(TYPE.windowUpdate, 0, id, uint32(2)));
        if (id % 64 === 1) await peer.next(TYPE.data, ({ streamId }) => streamId === id);
      }
    },
  },
  {
    name: 'large heads, again and again',
    run: async (peer) => {
      const cookie = [['cookie', 'x'.repeat(12_000)]] as const;
      for (const id of streamIds(100)) {
        peer.send(frame(TYPE.headers, FLAG.endStream | FLAG.endHeaders, id, requestBlock('/', cookie)));
        await peer.next(TYPE.data, ({ streamId }) => streamId === id);
      }
    },
  },
  {
    name: 'uploads with padding, one byte a frame',
    run: async (peer, bench) => {
      bench.handler.onExchange = (exchange) =>
        exchange.collectBody(1_000_000, undefined, () => exchange.respondWhole(200, [], Buffer.from('ok'), undefined));
      const padded = frame(TYPE.data, FLAG.padded, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(256)]));
      peer.send(postFrame(1));
      for (let i = 0; i < 10; i++) peer.send(repeat(padded, 20));
      peer.send(frame(TYPE.data, FLAG.endStream, 1, Buffer.from('x')));
      await peer.next(TYPE.data);
    },
  },
  {
    name: 'uploads that were refused early, with what was in flight',
    run: async (peer) => {
      for (const id of streamIds(40)) {
        peer.send(postFrame(id), repeat(frame(TYPE.data, 0, id, Buffer.alloc(16_000)), 2));
        await peer.next(TYPE.data, ({ streamId }) => streamId === id);
        peer.send(frame(TYPE.data, FLAG.endStream, id, Buffer.alloc(16_000)));
      }
    },
  },
  {
    name: 'cancelling now and then',
    run: async (peer) => {
      for (const id of streamIds(1_500)) {
        peer.send(getFrame(id));
        if (id % 3 === 0) peer.send(frame(TYPE.rstStream, 0, id, uint32(CODE.cancel)));
        if (id % 60 === 1) await peer.next(TYPE.data, ({ streamId }) => streamId === id);
      }
    },
  },
];

for (const { name, run } of USES) {
  test(`not a flood: ${name}`, async () => {
    await using bench = await Bench.start({ limits: { requestTimeoutMs: 200 } });
    const peer = await bench.frames();
    await run(peer, bench);
    await peer.roundTrip();
    await bench.clock.swept();
    assert.deepEqual(bench.handler.faults, []);
  });
}
