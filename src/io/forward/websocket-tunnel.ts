import { createHash } from 'node:crypto';
import { Agent, type ClientRequest, IncomingMessage, STATUS_CODES } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { createProxyServer, type ProxyServer } from 'http-proxy-3';

import type { RefusalAnswer } from '../../core/gate/exchange.ts';
import { refusalAnswer } from '../../core/gate/refusal.ts';
import { firstHeader, type HeaderList } from '../../core/kernel/headers.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import { answerHeaders } from '../../core/request/answer-headers.ts';
import type { UpstreamAddress } from './address.ts';
import type { Assignment } from './answer.ts';
import type { Dial } from './dial.ts';
import type { OpenTunnels, Tunnel } from './open-tunnels.ts';
import { endAndDestroy } from './tcp-tunnel.ts';
import { faultOfError } from './upstream-faults.ts';

/** RFC 6455 section 1.3. */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** `asking` the agent; it `declined` with an ordinary answer that is passed on; `open`: it switched; `settled`: the outcome was reported. */
type State = 'asking' | 'declined' | 'open' | 'settled';

/** Where an upgrade goes: to an address that is connected to for it, or over a connection that is dialled for it. */
export type TunnelWay =
  | { readonly kind: 'address'; readonly address: UpstreamAddress }
  | { readonly kind: 'dial'; readonly dial: Dial };

/** The other end of a tunnel, as http-proxy-3 is told of it. */
type ProxyOptions = { readonly target: ProxyTarget; readonly agent?: Agent };
type ProxyTarget = { host: string; port: number; protocol: string; socketPath?: string };

/**
 * One allowed WebSocket upgrade. http-proxy-3 asks the agent and joins the two sockets after its 101; what it sends is the permitted request, and what
 * it passes back went through the same rules as any answer. Before the 101 not a byte of the peer's reaches the agent.
 */
export class WebSocketTunnel implements Tunnel {
  readonly #assignment: Assignment;
  readonly #limits: Limits;
  readonly #tunnels: OpenTunnels;
  readonly #way: TunnelWay;
  #giveUpDialling: (() => void) | undefined;
  #state: State = 'asking';
  #status = 0;
  #timer: NodeJS.Timeout | undefined;
  #asked: ClientRequest | undefined;
  #peer: Duplex | undefined;
  #agent: Socket | undefined;
  /** Counters of the agent's socket when it switched: what came before is the handshake. */
  #readBefore = 0;
  #writtenBefore = 0;
  #declinedBytes = 0;
  #ending: Fault | undefined;

  constructor(way: TunnelWay, limits: Limits, tunnels: OpenTunnels, assignment: Assignment) {
    this.#way = way;
    this.#limits = limits;
    this.#tunnels = tunnels;
    this.#assignment = assignment;
  }

  begin(): void {
    const { downstream } = this.#assignment;
    this.#tunnels.add(this);
    const upgrade = downstream.upgrade();
    if (upgrade === undefined) {
      this.#nothingToUpgrade();
      return;
    }
    this.#peer = upgrade.socket;
    downstream.onClosed = (reason, by) => this.#closed(reason, by);
    upgrade.socket.once('close', () => this.#peerClosed());
    if (upgrade.head.length > 0) {
      this.#refuse(fault('upgrade_refused', 'the peer sent bytes before the answer to its upgrade'));
      return;
    }
    if (this.#way.kind === 'dial') this.#dial(this.#way.dial, upgrade.socket);
    else {
      this.#expire(this.#limits.upstreamConnectTimeoutMs);
      this.#ask({ target: targetOf(this.#way.address) }, upgrade.socket);
    }
  }

  #dial(dial: Dial, peer: Duplex): void {
    this.#giveUpDialling = dial((dialled) => {
      this.#giveUpDialling = undefined;
      if (!dialled.ok) this.#refuse(dialled.error);
      else this.#ask({ target: SOMEWHERE, agent: new OneConnection(dialled.value.socket) }, peer);
    });
  }

  #ask(to: ProxyOptions, peer: Duplex): void {
    this.#proxy(to).ws(this.#outgoing(), peer, NOTHING, {}, (error) => this.#agentFailed(error));
  }

  cut(): void {
    const reason = fault('draining', 'the forwarder is stopped');
    this.#assignment.downstream.abort(reason);
    this.#closed(reason, 'us');
  }

  /** One for each tunnel, so that its events are this tunnel's. */
  #proxy(to: ProxyOptions): ProxyServer {
    const proxy = createProxyServer(to);
    proxy.on('proxyReqWs', (asked) => this.#asking(asked));
    proxy.on('open', (agent) => agent.setTimeout(this.#limits.streamIdleTimeoutMs, () => this.#idle()));
    // Errors of the peer's socket. Its `close` follows, and is what ends the tunnel.
    proxy.on('error', () => {});
    return proxy;
  }

  /** A request as http-proxy-3 reads one: the permitted one. Its target is set later, for http-proxy-3 would run it through a URL parser. */
  #outgoing(): IncomingMessage {
    const { request } = this.#assignment;
    const outgoing = new IncomingMessage(new Socket());
    outgoing.method = 'GET';
    outgoing.url = '/';
    outgoing.httpVersion = '1.1';
    outgoing.httpVersionMajor = 1;
    outgoing.headers = fieldsObject([
      'host',
      request.authority,
      'connection',
      'Upgrade',
      // The canonical handshake carries `upgrade: websocket` itself; a second one would be read as a list.
      ...(firstHeader(request.headers, 'upgrade') === undefined ? ['upgrade', 'websocket'] : []),
      ...request.headers,
    ]);
    return outgoing;
  }

  #asking(asked: ClientRequest): void {
    this.#asked = asked;
    asked.path = this.#assignment.request.target;
    asked.once('socket', (socket) => this.#given(socket));
    // Registered before http-proxy-3's own listeners, so these run first.
    asked.once('upgrade', (answer, agent, head) => this.#switched(answer, agent, head));
    asked.once('response', (answer) => this.#declined(answer));
  }

  #given(socket: Socket): void {
    const connected = (): void => this.#expire(this.#limits.streamIdleTimeoutMs);
    if (socket.connecting) socket.once('connect', connected);
    else connected();
  }

  #switched(answer: IncomingMessage, agent: Socket, head: Buffer): void {
    const headers = answerHeaders(answer.rawHeaders, false);
    if (this.#state !== 'asking' || this.#peer === undefined || !headers.ok || !this.#isSound(answer)) {
      agent.destroy();
      this.#failAbruptly(headers.ok ? fault('upstream_protocol_error', 'an unsound 101') : headers.error);
      return;
    }
    this.#state = 'open';
    this.#status = 101;
    this.#agent = agent;
    this.#readBefore = agent.bytesRead - head.length;
    this.#writtenBefore = agent.bytesWritten;
    clearTimeout(this.#timer);
    const added = this.#assignment.request.responseHeadersToAdd;
    answer.headers = fieldsObject(['connection', 'Upgrade', 'upgrade', 'websocket', ...headers.value, ...added]);
    agent.once('close', () => this.#agentClosed());
    this.#peer.once('close', () => endAndDestroy(agent));
  }

  /** RFC 6455 section 4.1: the answer names the protocol asked for and proves that it read the key. */
  #isSound(answer: IncomingMessage): boolean {
    const key = firstHeader(this.#assignment.request.headers, 'sec-websocket-key') ?? '';
    const accept = createHash('sha1').update(`${key}${WEBSOCKET_GUID}`).digest('base64');
    return answer.headers.upgrade?.toLowerCase() === 'websocket' && answer.headers['sec-websocket-accept'] === accept;
  }

  /** The agent answered something else than 101: its status and body are passed on, then the connection closes. */
  #declined(answer: IncomingMessage): void {
    const headers = answerHeaders(answer.rawHeaders, false);
    const peer = this.#peer;
    if (this.#state !== 'asking' || peer === undefined || !headers.ok) {
      answer.destroy();
      this.#failAbruptly(headers.ok ? fault('internal_error', 'an answer to nothing') : headers.error);
      return;
    }
    this.#state = 'declined';
    this.#status = answer.statusCode ?? 0;
    clearTimeout(this.#timer);
    const bodiless = this.#status === 204 || this.#status === 304;
    const framing = bodiless ? ['content-length', '0'] : [];
    const added = this.#assignment.request.responseHeadersToAdd;
    answer.headers = fieldsObject(['connection', 'close', ...headers.value, ...added, ...framing]);
    answer.on('data', (chunk: Buffer) => {
      this.#declinedBytes += chunk.length;
      if (peer.writableLength <= this.#limits.bufferBytes) return;
      answer.pause();
      peer.once('drain', () => answer.resume());
    });
    answer.once('close', () => {
      if (!answer.complete) this.#failAbruptly(fault('upstream_aborted', 'the answer to the upgrade broke off'));
    });
    peer.once('close', () => this.#settle({ kind: 'forwarded', status: this.#status, ...this.#bytes() }));
  }

  #agentFailed(error: Error): void {
    const reason = faultOfError(error);
    if (this.#state === 'asking') this.#refuse(reason);
    else if (this.#state === 'open') this.#ending ??= reason;
  }

  #agentClosed(): void {
    const peer = this.#peer;
    if (peer !== undefined) endAndDestroy(peer);
    const failed = this.#ending;
    if (failed !== undefined) this.#failed(failed, 101);
    else if (peer?.errored) this.#aborted(fault('peer_aborted', peer.errored.message), 'peer');
    else this.#settle({ kind: 'forwarded', status: 101, ...this.#bytes() });
  }

  /** The listener says that the peer is gone, or cuts. A peer that closes an open tunnel is its ordinary end, and seen at its socket. */
  #closed(reason: Fault, by: 'peer' | 'us'): void {
    if (by === 'peer' && this.#state === 'open') return;
    this.#aborted(reason, by);
  }

  /** The socket is ours since `upgrade`, so nobody else tells that the peer went away before the agent had answered. */
  #peerClosed(): void {
    if (this.#state === 'asking')
      this.#aborted(fault('peer_aborted', 'closed before the answer to its upgrade'), 'peer');
  }

  #idle(): void {
    const reason = fault('stream_idle_timeout', `nothing moved for ${this.#limits.streamIdleTimeoutMs} ms`);
    this.#assignment.downstream.abort(reason);
    this.#aborted(reason, 'us');
  }

  #expire(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#state === 'asking') this.#refuse(fault('upstream_timeout', `no answer to the upgrade in ${ms} ms`));
    }, ms);
  }

  /** The exchange has ended before, and its refusal says how; or it is no upgrade at all, which is our own mistake. */
  #nothingToUpgrade(): void {
    const { downstream, request, decisionId } = this.#assignment;
    const reason = fault('internal_error', 'no socket to upgrade');
    downstream.refuse(refusalAnswer(reason, request.style, decisionId), (outcome) => this.#settle(outcome));
  }

  /** Answers the peer ourselves: the socket is ours since `upgrade`. */
  #refuse(reason: Fault): void {
    const { decisionId } = this.#assignment;
    const answer = refusalAnswer(reason, 'websocket', decisionId);
    const peer = this.#peer;
    if (peer?.writable !== true) this.#failed(reason, 0);
    else {
      peer.write(wireText(answer));
      endAndDestroy(peer);
      if (reason.code === 'upgrade_refused') this.#settle({ kind: 'refused', status: answer.status });
      else this.#failed(reason, answer.status);
    }
  }

  /** For what goes wrong once http-proxy-3 has an answer in hand: it will still write to the peer, so the peer's connection is closed first. */
  #failAbruptly(reason: Fault): void {
    if (this.#state === 'settled') return;
    this.#assignment.downstream.abort(reason);
    this.#peer?.destroy();
    this.#failed(reason, this.#status);
  }

  #failed(reason: Fault, status: number): void {
    this.#settle({ kind: 'upstream-failed', fault: reason, status, ...this.#bytes() });
  }

  #aborted(reason: Fault, by: 'peer' | 'us'): void {
    this.#settle({ kind: 'aborted', by, fault: reason, status: this.#status, ...this.#bytes() });
  }

  #bytes(): { bytesIn: number; bytesOut: number } {
    const agent = this.#agent;
    if (agent === undefined) return { bytesIn: 0, bytesOut: this.#declinedBytes };
    return { bytesIn: agent.bytesWritten - this.#writtenBefore, bytesOut: agent.bytesRead - this.#readBefore };
  }

  #settle(outcome: Outcome): void {
    if (this.#state === 'settled') return;
    this.#state = 'settled';
    clearTimeout(this.#timer);
    this.#giveUpDialling?.();
    this.#assignment.downstream.onClosed = undefined;
    this.#asked?.destroy();
    this.#agent?.destroy();
    this.#tunnels.delete(this);
    this.#assignment.done(outcome);
  }
}

/** What http-proxy-3 is told where the connection is there already. */
const SOMEWHERE: ProxyTarget = { host: 'localhost', port: 80, protocol: 'http:' };

/** No byte of the peer's before the answer to its upgrade: checked before. */
const NOTHING = Buffer.alloc(0);

function targetOf(address: UpstreamAddress): ProxyTarget {
  const where = address.kind === 'unix' ? { host: '', port: 0, socketPath: address.path } : address;
  return { ...where, protocol: 'http:' };
}

/** Gives a connection that is there already to the one request made by it. */
class OneConnection extends Agent {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
  }

  override createConnection(): Socket {
    return this.#socket;
  }
}

/** A header list as node:http wants it; fields that stand several times become arrays. */
function fieldsObject(list: HeaderList): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = (list[i] as string).toLowerCase();
    const value = list[i + 1] as string;
    const before = fields[name];
    fields[name] = before === undefined ? value : [...(typeof before === 'string' ? [before] : before), value];
  }
  return fields;
}

/** A refusal as HTTP/1.1 writes it, last on its connection. */
function wireText(answer: RefusalAnswer): string {
  let head = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? 'Refused'}\r\nconnection: close\r\n`;
  for (let i = 0; i + 1 < answer.headers.length; i += 2) head += `${answer.headers[i]}: ${answer.headers[i + 1]}\r\n`;
  return `${head}\r\n${answer.body}`;
}
