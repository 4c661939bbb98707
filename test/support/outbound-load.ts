import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { ask, grpcHead, grpcMessage } from './system-clients.ts';

/** Kinds of calls that an agent makes. */
export type LoadKind = 'HTTP/1.1' | 'HTTP/2' | 'gRPC stream' | 'endless gRPC stream';

/** One call that an agent made, and what became of it. */
export type LoadCall = {
  readonly kind: LoadKind;
  /** Its trace, by which records of both sides are found. */
  readonly traceId: string;
  /** What went wrong; undefined for a call that ended as it should. */
  readonly failure: string | undefined;
};

export type LoadSettings = {
  /** Port of an outbound listener. */
  readonly port: number;
  /** What the agent calls. */
  readonly host: string;
  /** Callers of each kind, one call after the other. */
  readonly callers: Readonly<Record<LoadKind, number>>;
  /** How long a stream goes on, messages flowing both ways, before the caller ends it; milliseconds. Endless ones go on until the load is ended. */
  readonly streamMs: number;
};

/** Load that goes on until it is ended. */
export type OutboundLoad = {
  readonly calls: readonly LoadCall[];
  /** Lets calls under way finish. */
  end(): Promise<void>;
};

/** Between two calls of one caller, and between two messages of one stream, milliseconds: the load is to be steady, not to be all that a machine can do. */
const PACE_MS = 20;

type Attempt = (headers: Readonly<Record<string, string>>) => Promise<string | undefined>;

/** Starts callers of all kinds as an agent is: they know a host and a plain port, never repeat a call, and keep their connections. */
export function startOutboundLoad(context: TestContext, settings: LoadSettings): OutboundLoad {
  const { port, host, callers, streamMs } = settings;
  const calls: LoadCall[] = [];
  const ending = new AbortController();
  const agent = new Agent({ keepAlive: true });
  const session = connect(`http://127.0.0.1:${port}`);
  const lost = Promise.withResolvers<string>();
  session.on('error', (error) => lost.resolve(`the session: ${String(error)}`));
  session.on('close', () => lost.resolve('the session was closed'));
  context.after(() => {
    ending.abort();
    session.destroy();
    agent.destroy();
  });
  const until = (lifeMs: number) => (ageMs: number) => ageMs >= lifeMs || ending.signal.aborted;
  const attempts: Readonly<Record<LoadKind, Attempt>> = {
    'HTTP/1.1': (headers) => getHttp1(agent, port, { host, ...headers }),
    'HTTP/2': (headers) => getHttp2(session, { ':authority': host, ...headers }),
    'gRPC stream': (headers) => stream(session, { ':authority': host, ...headers }, until(streamMs)),
    'endless gRPC stream': (headers) => stream(session, { ':authority': host, ...headers }, until(Infinity)),
  };
  const caller = async (kind: LoadKind): Promise<void> => {
    while (!ending.signal.aborted) {
      const traceId = randomBytes(16).toString('hex');
      const traceparent = `00-${traceId}-${randomBytes(8).toString('hex')}-01`;
      const failure = await Promise.race([attempts[kind]({ traceparent }), lost.promise]);
      calls.push({ kind, traceId, failure });
      await pause(PACE_MS);
    }
  };
  const kinds = Object.entries(callers) as [LoadKind, number][];
  const running = kinds.flatMap(([kind, count]) => Array.from({ length: count }, () => caller(kind)));
  return {
    calls,
    end: async () => {
      ending.abort();
      await Promise.all(running);
      session.close();
      agent.destroy();
    },
  };
}

function getHttp1(agent: Agent, port: number, headers: Readonly<Record<string, string>>): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path: '/find', agent, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', (error) => resolve(String(error)));
      response.on('end', () => {
        const { statusCode = 0 } = response;
        resolve(statusCode === 200 && response.complete ? undefined : `${statusCode} ${body}`);
      });
    });
    sent.on('error', (error) => resolve(String(error))).end();
  });
}

function getHttp2(session: ClientHttp2Session, headers: Readonly<Record<string, string>>): Promise<string | undefined> {
  return new Promise((resolve) => {
    const call = ask(session, { ':method': 'GET', ':path': '/find', ':scheme': 'http', ...headers });
    let status = 0;
    let body = '';
    call.on('response', (fields) => (status = fields[':status'] ?? 0));
    call.setEncoding('utf8').on('data', (text: string) => (body += text));
    call.on('close', () =>
      resolve(status === 200 && call.rstCode === 0 ? undefined : `${status} ${call.rstCode} ${body}`),
    );
  });
}

/** A bidirectional stream whose messages come back one by one, in order, until the caller half-closes it, because it `isOver`, and the status comes. */
function stream(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  isOver: (ageMs: number) => boolean,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const call = ask(session, { ...grpcHead('/test.Echo/Stream'), ':scheme': 'http', ...headers }, false);
    const began = performance.now();
    const sent: Buffer[] = [];
    const received: Buffer[] = [];
    let grpcStatus = 'none';
    const timer = setInterval(() => {
      const message = grpcMessage(`message ${sent.length}`);
      sent.push(message);
      call.write(message);
      if (!isOver(performance.now() - began)) return;
      clearInterval(timer);
      call.end();
    }, PACE_MS);
    call.on('response', (fields) => (grpcStatus = String(fields['grpc-status'] ?? grpcStatus)));
    call.on('trailers', (fields) => (grpcStatus = String(fields['grpc-status'])));
    call.on('data', (bytes: Buffer) => received.push(bytes));
    call.on('close', () => {
      clearInterval(timer);
      const whole = Buffer.concat(sent).equals(Buffer.concat(received));
      const after = Math.round(performance.now() - began);
      resolve(
        whole && grpcStatus === '0' ? undefined : `status ${grpcStatus}, reset ${call.rstCode}, after ${after} ms`,
      );
    });
  });
}
