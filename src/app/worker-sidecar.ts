import type { Timer } from '../core/kernel/clock.ts';
import { createRecorder } from '../core/record/recorder.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';
import type { Problems } from '../io/sources/problem.ts';
import { NULL_TELEMETRY } from '../io/telemetry/null-telemetry.ts';
import type { ThreadCounter } from '../io/telemetry/thread-metrics.ts';
import { Remains } from '../io/workers/record-messages.ts';
import { RecordOutbox } from '../io/workers/record-outbox.ts';
import { ListenFault } from './data-plane.ts';
import { createPeerJudges } from './peer-judges.ts';
import { loadDelivery, type ActivePolicy, type PolicyDelivery } from './policy-delivery.ts';
import { ServingPorts, type ServingConfig } from './serving-ports.ts';
import { numbersOf } from './shared-numbers.ts';
import { createRandom, systemClock } from './system.ts';
import { WORKER_LINGER_MS } from './worker-count.ts';
import type { Change, FromWorker, Opening, ToWorker, WorkerSetup } from './worker-messages.ts';

export type WorkerDeps = {
  readonly post: (message: FromWorker) => void;
  readonly timer: Timer;
  /** Undefined where nobody reads metrics. */
  readonly counter: ThreadCounter | undefined;
};

/** The sidecar in one worker thread: listeners, gates and the ways onward. Keys, policies and the journal are another thread's, which says what is in force. */
export class WorkerSidecar {
  readonly #setup: WorkerSetup;
  readonly #deps: WorkerDeps;
  readonly #outbox: RecordOutbox;
  #identity: IdentitySnapshot | undefined;
  #policy: ActivePolicy | undefined;
  #candidate: ActivePolicy | undefined;
  #ports: ServingPorts | undefined;
  /** What changes something is done one after another: a policy takes a moment to be loaded. */
  #queue: Promise<void> = Promise.resolve();

  constructor(setup: WorkerSetup, deps: WorkerDeps) {
    this.#setup = setup;
    this.#deps = deps;
    const remains = new Remains(setup.remains);
    const settings = { chunk: setup.creditChunk, lingerMs: WORKER_LINGER_MS };
    this.#outbox = new RecordOutbox(settings, { post: deps.post, timer: deps.timer, remains });
  }

  /** Takes a message. What cannot be done as told throws where nobody catches it: a worker that is not as it should be ends, and is replaced. */
  heard(message: ToWorker): void {
    if (message.kind === 'credit' || message.kind === 'room' || message.kind === 'taken') this.#outbox.heard(message);
    else if (message.kind === 'tell') void this.#tell(message.question);
    else this.#queue = this.#queue.then(() => this.#do(message));
  }

  /** Posts what is there for the journal. */
  handOver(): void {
    this.#outbox.post();
  }

  #do(message: Exclude<ToWorker, { readonly kind: 'credit' | 'room' | 'taken' | 'tell' }>): Promise<void> | void {
    switch (message.kind) {
      case 'open':
        return this.#open(message);
      case 'retire':
        return this.#ports?.retire();
      case 'stop':
        return this.#stop(message.graceMs);
      case 'change':
        return this.#change(message.change, message.number);
      default:
        message satisfies never;
    }
  }

  async #open({ identity, isInForce, policy, candidate, callerTokens, ports }: Opening): Promise<void> {
    this.#identity = isInForce ? identity : undefined;
    this.#policy = await this.#load(policy);
    this.#candidate = await this.#load(candidate);
    // Room for the first requests is there before they are.
    this.#outbox.post();
    this.#ports = this.#servingPorts(ports);
    try {
      this.#deps.post({ kind: 'opened', bound: await this.#ports.open(identity, callerTokens) });
    } catch (error) {
      if (!(error instanceof ListenFault)) throw error;
      this.#deps.post({ kind: 'failed', problems: error.problems });
    }
  }

  async #change(change: Change, number: number): Promise<void> {
    this.#deps.post({ kind: 'adopted', change: number, problems: await this.#adopt(change) });
  }

  async #adopt(change: Change): Promise<Problems> {
    if (change.kind === 'identity') {
      this.#identity = change.identity;
      if (change.identity === undefined) this.#ports?.identityLost();
      return change.identity === undefined ? [] : ((await this.#ports?.identityChanged(change.identity)) ?? []);
    }
    const loaded = await this.#load(change.policy);
    if (change.kind === 'candidate') this.#candidate = loaded;
    else {
      this.#policy = loaded;
      await this.#ports?.policyChanged();
    }
    return [];
  }

  async #load(delivery: PolicyDelivery | undefined): Promise<ActivePolicy | undefined> {
    const { policy } = this.#setup.config;
    return delivery && loadDelivery(delivery, policy, { clock: systemClock, random: createRandom() });
  }

  async #tell(question: number): Promise<void> {
    const decisions = await this.#deps.counter?.counts();
    const figures = this.#ports?.figures ?? { connections: 0, requests: 0, outbound: undefined };
    this.#deps.post({ kind: 'told', question, report: { figures, idleRoom: this.#outbox.idleRoom, decisions } });
  }

  async #stop(graceMs: number): Promise<void> {
    await this.#ports?.stop(graceMs);
    this.#outbox.post();
    this.#deps.post({ kind: 'stopped' });
  }

  #servingPorts(ports: Opening['ports']): ServingPorts {
    const { config, labels, numbers } = this.#setup;
    const inForce = {
      identity: () => this.#identity,
      policy: () => this.#policy,
      candidate: () => this.#candidate,
    };
    const recorder = createRecorder({ labels, nextNumber: numbersOf(numbers) });
    return new ServingPorts(
      servedByWorkers(config),
      {
        inForce,
        judges: createPeerJudges(inForce.identity, config.identity.requireRevocationLists, systemClock),
        journal: this.#outbox,
        record: () => (facts) => recorder.open(facts),
        observer: this.#deps.counter ?? NULL_TELEMETRY,
        problem: (error) => this.#deps.post({ kind: 'problem', error: String(error) }),
      },
      ports,
    );
  }
}

/** Listeners that threads can share: those with a port. */
export function servedByWorkers({ inbound, outbound, policy }: WorkerSetup['config']): ServingConfig {
  return { inbound, outbound: outbound.filter(({ listen }) => listen.kind === 'tcp'), mode: policy.mode };
}
