import type { Clock } from '../../core/kernel/clock.ts';
import type { Destination } from '../../core/model/destination.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import { Circuit, type Admission, type CallResult } from './circuit.ts';
import { Dialer, type DialDeps } from './dialer.ts';
import type { Http1Opener } from './http1-pool.ts';
import type { Opener, Sessions } from './http2-pool.ts';
import { PoolGeneration, type Asker } from './pool-generation.ts';
import type { Resilience } from './resilience.ts';
import { RetryBudget } from './retry-budget.ts';

/** One destination: its connections, generation by generation of our identity, and what is known of how it fares. */
export class DestinationUpstream implements Sessions {
  readonly destination: Destination;
  readonly dialer: Dialer;
  readonly budget: RetryBudget;
  readonly #deps: DialDeps;
  readonly #resilience: Resilience;
  readonly #circuit: Circuit;
  readonly #clock: Clock;
  readonly #retired = new Set<PoolGeneration>();
  #generation: PoolGeneration;
  /** What the destination chose where it was offered both. */
  #chosen: 'http1' | 'http2' | undefined;
  #underWay = 0;
  #pending = 0;
  #stopped = false;

  constructor(destination: Destination, resilience: Resilience, deps: DialDeps) {
    this.destination = destination;
    this.dialer = new Dialer(destination, resilience.ejection, deps);
    this.budget = new RetryBudget(resilience.budget);
    this.#deps = deps;
    this.#resilience = resilience;
    this.#circuit = new Circuit(resilience.circuit);
    this.#clock = deps.clock;
    this.#generation = this.#newGeneration();
  }

  get circuit(): Circuit['state'] {
    return this.#circuit.state;
  }

  /** Calls under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /** The HTTP version to use where the configuration leaves it open; undefined while that has to be asked. */
  get version(): 'http1' | 'http2' | undefined {
    const { protocol } = this.destination;
    return protocol === 'auto' ? this.#chosen : protocol;
  }

  /** Takes room for one call; a fault where there is none. */
  enter(): Fault | undefined {
    const { requests } = this.#resilience;
    if (this.#underWay >= requests)
      return fault('destination_overloaded', `${requests} calls to ${this.destination.name} are under way`);
    this.#underWay += 1;
    return undefined;
  }

  leave(): void {
    this.#underWay -= 1;
  }

  /** Takes room among those who wait for a connection. */
  startWaiting(): Fault | undefined {
    const { pending } = this.#resilience;
    if (this.#pending >= pending)
      return fault('destination_overloaded', `${pending} calls wait for a connection to ${this.destination.name}`);
    this.#pending += 1;
    return undefined;
  }

  stopWaiting(): void {
    this.#pending -= 1;
  }

  /** Lets one attempt out, or says why not. */
  admit(): Admission | Fault {
    const admission = this.#circuit.admit(this.#clock.monotonicMs());
    if (admission.kind !== 'open') return admission;
    const when =
      admission.retryAfterMs === 0
        ? 'one call tries it now'
        : `the next trial is in ${Math.ceil(admission.retryAfterMs / 1_000)} s`;
    return fault('destination_circuit_open', `${this.destination.name} failed several times in a row; ${when}`);
  }

  /** Takes the result of an attempt that was let out. Once each. */
  report(admission: Admission, result: CallResult): void {
    this.#circuit.report(admission, result, this.#clock.monotonicMs());
  }

  /** Asks for the HTTP version; what comes is remembered. */
  ask(asker: Asker): void {
    this.#generation.ask(asker);
  }

  chose(version: 'http1' | 'http2'): void {
    this.#chosen = version;
  }

  /** The destination does not speak any more what it chose before: it is to be asked again. */
  forgetVersion(version: 'http1' | 'http2'): void {
    if (this.#chosen === version) this.#chosen = undefined;
  }

  openHttp1(opener: Http1Opener): void {
    this.#generation.http1.open(opener);
  }

  open(opener: Opener): void {
    this.#generation.http2.open(opener);
  }

  forget(opener: Opener): void {
    this.#generation.http2.forget(opener);
  }

  forgetHttp1(opener: Http1Opener): void {
    this.#generation.http1.forget(opener);
  }

  forgetAsker(asker: Asker): void {
    this.#generation.forgetAsker(asker);
  }

  /**
   * Our identity may have changed: where it has, new requests go to new connections at once; those under way end on the old ones, which then close. What
   * waited for an old connection waits for a new one.
   */
  rotate(): void {
    const old = this.#generation;
    if (this.#stopped || old.revision === this.#deps.own.revision) return;
    this.#generation = this.#newGeneration();
    this.#circuit.reconsider(this.#clock.monotonicMs());
    const waiting = old.retire();
    this.#retired.add(old);
    void old.close().then(() => this.#retired.delete(old));
    for (const opener of waiting.http1) this.#generation.http1.open(opener);
    for (const opener of waiting.http2) this.#generation.http2.open(opener);
    for (const asker of waiting.askers) this.#generation.ask(asker);
  }

  /** Takes no more calls; resolves when those under way have ended. */
  async close(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.#generation, ...this.#retired].map((generation) => generation.close()));
  }

  /** Ends everything at once. */
  destroy(): void {
    for (const generation of [this.#generation, ...this.#retired]) generation.destroy();
  }

  #newGeneration(): PoolGeneration {
    const { own, limits } = this.#deps;
    return new PoolGeneration(own.revision, this.destination, this.dialer, limits, this.#resilience.connections);
  }
}
