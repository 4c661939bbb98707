import { createTrustStore } from '../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../src/core/identity/verify.ts';
import { Permit, type PermittedRequest } from '../../src/core/gate/permit.ts';
import type { SpiffeId, TrustDomain } from '../../src/core/kernel/brand.ts';
import type { Clock } from '../../src/core/kernel/clock.ts';
import type { Destination } from '../../src/core/model/destination.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/core/model/limits.ts';
import type { Outcome } from '../../src/core/model/outcome.ts';
import type { Resolve } from '../../src/io/forward/dialer.ts';
import { createOutboundForwarder, type OutboundForwarder } from '../../src/io/forward/outbound-forwarder.ts';
import type { TlsIdentity } from '../../src/io/forward/own-context.ts';
import { DEFAULT_RESILIENCE, type Resilience } from '../../src/io/forward/resilience.ts';
import { fakeConnection } from './fake-exchange.ts';
import type { FakeDownstream } from './fake-downstream.ts';
import { DECISION, once, permitted } from './forwarding.ts';
import { createAuthority, type Authority, type Issued } from './pki.ts';

/** The ID that servers here have, and destinations expect. */
export const SERVER_ID = 'spiffe://example.org/researcher';

export type WorldOptions = {
  readonly limits?: Partial<Limits>;
  readonly resilience?: Partial<Resilience>;
  readonly resolve?: Resolve;
};

/** A sidecar's side of outbound calls: our identity, our trust, both changeable, and the forwarder that uses them. */
export class OutboundWorld implements AsyncDisposable {
  readonly authority: Authority;
  readonly forwarder: OutboundForwarder;
  /** Pushes the wall clock forward. */
  aheadMs = 0;
  identity: TlsIdentity | undefined;
  #crls: readonly Uint8Array[] = [];
  #roots: readonly Uint8Array[];
  #revision = 0;

  constructor(options: WorldOptions = {}) {
    this.authority = createAuthority();
    this.#roots = this.authority.bundle;
    this.rotate();
    this.forwarder = createOutboundForwarder(
      {
        limits: { ...DEFAULT_LIMITS, ...options.limits },
        resilience: { ...DEFAULT_RESILIENCE, ...options.resilience },
      },
      {
        identity: () => this.identity,
        judge: (chain) => this.#judge(chain),
        clock: this.clock,
        random: (length) => new Uint8Array(length),
        ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
      },
    );
  }

  readonly clock: Clock = {
    wallMs: () => Date.now() + this.aheadMs,
    monotonicMs: () => performance.now() + this.aheadMs,
  };

  /** Another certificate of ours; the forwarder is not told. */
  rotate(issued: Issued = this.authority.issue({ id: 'spiffe://example.org/planner' })): Issued {
    this.#revision += 1;
    this.identity = {
      certificateChain: issued.chainPem,
      privateKey: issued.keyPem,
      trustAnchors: [this.authority.bundlePem],
      revision: String(this.#revision),
      validUntilMs: issued.notAfter.getTime(),
    };
    return issued;
  }

  /** A server's certificate of the right ID. */
  server(options: Parameters<Authority['issue']>[0] = {}): Issued {
    return this.authority.issue({ id: SERVER_ID, ...options });
  }

  /** From now on these certificates are revoked; the forwarder is not told. */
  revoke(...certificates: readonly Issued[]): void {
    this.#crls = [this.authority.crl({ revoked: certificates.map(({ serial }) => serial) }).der];
  }

  /** From now on our rules know these roots only, whatever the TLS library trusts. */
  trust(roots: readonly Uint8Array[]): void {
    this.#roots = roots;
  }

  /** Forwards one request and gives its outcome; fails where it is reported twice. */
  call(to: Destination, downstream: FakeDownstream, request: Partial<PermittedRequest> = {}): Promise<Outcome> {
    return once((done) => this.forwarder.forward(permitTo(to, request), downstream, done));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forwarder.stop(0);
  }

  #judge(chain: readonly Uint8Array[]): ReturnType<typeof verifyPeer> {
    const trust = createTrustStore(new Map([['example.org' as TrustDomain, this.#roots]]), this.#crls);
    if (!trust.ok) throw new Error(JSON.stringify(trust.error));
    return verifyPeer(chain, trust.value, this.clock.wallMs(), { purpose: 'server', requireCrl: false });
  }
}

/** A destination on loopback. */
export function destinationAt(port: number, over: Partial<Destination> & { readonly host?: string } = {}): Destination {
  const { host = '127.0.0.1', ...rest } = over;
  return {
    name: 'researcher.internal',
    address: { host, port },
    ids: [SERVER_ID as SpiffeId],
    protocol: 'http1',
    ...rest,
  };
}

/** A permit for an outbound call, as the gate mints them. */
export function permitTo(destination: Destination, request: Partial<PermittedRequest> = {}): Permit {
  return Permit.mint(
    DECISION,
    fakeConnection(),
    permitted({ authority: 'researcher.internal', ...request }),
    destination,
  );
}

/** Code and detail of an outcome's fault; undefined where it has none. */
export function faultIn(outcome: Outcome): { readonly code: string; readonly detail: string } | undefined {
  return 'fault' in outcome ? { code: outcome.fault.code, detail: outcome.fault.detail } : undefined;
}
