import { fault } from '../../core/model/faults.ts';
import { OpenConnection } from './open-connection.ts';

/** The client's connection preface (RFC 9113 section 3.4): no HTTP/1.1 request begins like it. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Content type of a TLS record that carries a handshake (RFC 8446 section 5.1); no HTTP begins with it. */
const TLS_HANDSHAKE = 0x16;

/**
 * A cleartext connection until it is known which HTTP it speaks: HTTP/2 by prior knowledge (RFC 9113 section 3.3) after the whole preface, HTTP/1.1 from
 * the first byte that is not of it. What was read is put back, so that the reader to come finds every byte. It has `handshakeTimeoutMs` for that.
 */
export class FirstBytes extends OpenConnection {
  readonly #chunks: Uint8Array[] = [];
  readonly #chosen: (protocol: 'h2' | 'http/1.1') => void;
  readonly #openedAtMs: number;

  /** `chosen` is called once at most; from then on the socket is somebody else's. */
  constructor(chosen: (protocol: 'h2' | 'http/1.1') => void, ...facts: ConstructorParameters<typeof OpenConnection>) {
    super(...facts);
    this.#chosen = chosen;
    this.#openedAtMs = this.host.clock.monotonicMs();
  }

  override begin(): void {
    this.socket.on('readable', this.#read);
  }

  override sweep(nowMs: number): void {
    if (nowMs - this.#openedAtMs >= this.host.limits.handshakeTimeoutMs && !this.isEnding) {
      const isSilent = this.#chunks.length === 0;
      this.cut(
        isSilent
          ? fault('connection_idle_timeout', 'not a byte in time for a head')
          : fault('request_timeout', 'the HTTP/2 preface did not arrive in time'),
      );
    }
    super.sweep(nowMs);
  }

  override gone(error: Error | undefined): void {
    const isBrokenOff = this.#chunks.length > 0 && !this.isEnding;
    super.gone(error);
    if (!isBrokenOff) return;
    const reason = fault('request_malformed', 'the connection ended within the HTTP/2 preface');
    this.guarded(() => this.host.handler.unreadable(this.facts, this.peer, reason));
  }

  override drain(): void {
    this.cut(fault('draining', 'no request yet'));
  }

  protected override kill(): void {
    this.socket.destroy();
  }

  readonly #read = (): void => {
    const chunk: unknown = this.socket.read();
    if (!(chunk instanceof Uint8Array) || this.isEnding) return;
    if (this.#chunks.length === 0 && chunk[0] === TLS_HANDSHAKE) {
      this.cut(fault('call_not_plain', 'a TLS handshake: call http://, the sidecar makes the mutual TLS'));
      return;
    }
    this.#chunks.push(chunk);
    const begun = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const length = Math.min(begun.length, PREFACE.length);
    const isPreface = PREFACE.compare(begun, 0, length, 0, length) === 0;
    if (isPreface && length < PREFACE.length) return;
    this.socket.removeListener('readable', this.#read);
    this.socket.unshift(begun);
    this.#chosen(isPreface ? 'h2' : 'http/1.1');
  };
}
