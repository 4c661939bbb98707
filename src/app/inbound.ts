import type { Inbound } from '../core/config/config.ts';
import { Gate, type GateDeps, type GateSettings } from '../core/gate/gate.ts';
import type { Endpoint } from '../core/model/connection.ts';
import type { Result } from '../core/kernel/result.ts';
import type { Peer } from '../core/model/peer.ts';
import { createForwarder, type Forwarder } from '../io/forward/forwarder.ts';
import type { HttpExchange, TcpExchange } from '../io/listen/downstream.ts';
import { createListener, type Listener } from '../io/listen/listener.ts';
import type { ListenSettings } from '../io/listen/settings.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';

/** What all inbound listeners of a sidecar share. */
export type SharedDeps = Omit<GateDeps<HttpExchange, TcpExchange>, 'forward' | 'forwardRaw'> & {
  readonly mode: GateSettings['mode'];
  /** Hears of faults of ours that cost a connection. */
  readonly problem: (error: unknown) => void;
};

/** As it is written in the configuration, and stands in records. */
export function nameOfAddress({ host, port }: Inbound['listen']): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** One entry of `inbound`: a listener, its gate and its way to the agent. */
export class InboundPort {
  readonly name: string;
  readonly gate: Gate<HttpExchange, TcpExchange>;
  readonly forwarder: Forwarder;
  readonly #inbound: Inbound;
  readonly #sharedPort: number | undefined;
  readonly #listener: Listener;
  readonly #problem: (error: unknown) => void;

  /** `sharedPort`: other threads listen there too; it stands for the port of the configuration. */
  constructor(inbound: Inbound, identity: IdentitySnapshot, shared: SharedDeps, sharedPort?: number) {
    this.#sharedPort = sharedPort;
    this.name = nameOfAddress(inbound.listen);
    this.#inbound = inbound;
    this.forwarder = createForwarder({ upstream: inbound.upstream, limits: inbound.limits });
    this.gate = new Gate<HttpExchange, TcpExchange>(
      {
        mode: shared.mode,
        limits: inbound.limits,
        tolerance: inbound.paths,
        listener: this.name,
        contextExtensions: inbound.contextExtensions,
      },
      { ...shared, forward: this.forwarder.forward, forwardRaw: this.forwarder.forwardRaw },
    );
    const { clock, random, problem } = shared;
    this.#problem = problem;
    this.#listener = createListener(this.#settings(identity), { handler: this.gate, clock, random, problem });
  }

  /** Binds. Resolves with the address in use. */
  start(): Promise<Endpoint> {
    this.forwarder.start();
    return this.#listener.start();
  }

  /** Takes new certificates, keys and trust for new connections, and judges the open ones again: by new trust also where the TLS library cannot use the key. */
  reload(identity: IdentitySnapshot): Result<undefined, string> {
    const isSuspect = (peer: Peer): boolean => isListed(peer, identity.trust);
    const taken = this.#listener.reload(this.#settings(identity), isSuspect);
    if (!taken.ok) this.#listener.recheck(isSuspect).catch(this.#problem);
    return taken;
  }

  /** Judges the peers of open connections again. */
  recheck(): void {
    this.#listener.recheck().catch(this.#problem);
  }

  /** Goes on serving, but asks callers to go elsewhere. */
  retire(): void {
    this.#listener.retire();
  }

  /** Stops accepting, lets requests finish, then ends the agent's side. */
  async stop(deadlineMs: number): Promise<void> {
    await this.#listener.stop(deadlineMs);
    await this.forwarder.stop(0);
  }

  get connections(): number {
    return this.#listener.connectionCount;
  }

  #settings(identity: IdentitySnapshot): ListenSettings {
    const { listen, upstream, tls, limits } = this.#inbound;
    return {
      host: listen.host,
      port: this.#sharedPort ?? listen.port,
      reusePort: this.#sharedPort !== undefined,
      name: this.name,
      protocol: upstream.protocol === 'tcp' ? 'tcp' : 'http',
      tls: {
        certificateChain: identity.certificateChain,
        privateKey: identity.privateKey,
        trustAnchors: identity.trustAnchors,
        minVersion: tls.minVersion === '1.2' ? 'TLSv1.2' : 'TLSv1.3',
        resumption: tls.resumption,
      },
      limits,
    };
  }
}

/** Whether any revocation list has the serial number of a peer's certificate: not yet a verdict, for serial numbers are those of one issuer. */
function isListed(peer: Peer, { lists }: IdentitySnapshot['trust']): boolean {
  return peer.kind === 'identified' && lists.some(({ crl }) => crl.revoked.has(peer.certificate.serial));
}
