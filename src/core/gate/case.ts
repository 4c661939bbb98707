import type { Clock } from '../kernel/clock.ts';
import type { DecisionId } from '../kernel/brand.ts';
import type { Destination } from '../model/destination.ts';
import { fault, type Fault } from '../model/faults.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Policy } from '../model/policy.ts';
import type { PolicyInput } from '../model/policy-input.ts';
import type { RecordFacts } from '../model/record-facts.ts';
import type { Trace } from '../model/request.ts';
import type { RawExchange } from './exchange.ts';
import { judge, type Judgement } from './judgement.ts';
import type { JournalPort } from './ports.ts';
import type { Trial } from './trial.ts';

/** A case as its gate keeps it. */
export interface OpenCase {
  begin(): void;
  /** Instead of `begin`: refuses without a decision. */
  refuseOutright(reason: Fault): void;
  rejudge(): void;
}

/** What a case needs of its gate. */
export type CaseHost = {
  readonly mode: 'enforce' | 'shadow';
  readonly clock: Clock;
  readonly journal: JournalPort;
  readonly policy: () => Policy | undefined;
  /** The policy on trial, where there is one. */
  readonly candidate: () => Policy | undefined;
  /** Called once, when the case is closed. `reserved`: room in the journal was taken for it. */
  closed(closed: OpenCase, facts: RecordFacts, reserved: boolean): void;
};

type ExchangeFacts = Pick<RawExchange, 'connection' | 'peer' | 'receivedAtMs' | 'receivedMonotonicMs' | 'cut'>;

/**
 * One thing that is decided: it takes room in the journal, is decided, forwarded or refused, and closes with exactly one record.
 * States go one way: `deciding` -> `forwarding` or `refusing` -> `closed`.
 */
export abstract class Case<X extends ExchangeFacts> implements OpenCase {
  protected readonly host: CaseHost;
  protected readonly decisionId: DecisionId;
  protected judgement: Judgement | undefined;
  /** The input where one was built and no policy was asked about it. */
  protected unjudgedInput: PolicyInput | undefined;
  /** Why it is refused, or in shadow mode would have been. */
  protected reason: Fault | undefined;
  protected trace: Trace | undefined;
  protected destination: Destination | undefined;
  /** Begun once the policy in force has answered. */
  protected trial: Trial | undefined;
  #state: 'deciding' | 'forwarding' | 'refusing' | 'closed' = 'deciding';
  #reserved = false;
  #forwardedAtMs: number | undefined;
  #exchange: X | undefined;

  constructor(host: CaseHost, exchange: X, decisionId: DecisionId) {
    this.host = host;
    this.#exchange = exchange;
    this.decisionId = decisionId;
  }

  /** What is decided; let go when the case is closed. */
  protected get exchange(): X {
    if (this.#exchange === undefined) throw new TypeError('the case is closed');
    return this.#exchange;
  }

  /** Takes room in the journal first: what cannot be written down is not decided (promise 3). */
  begin(): void {
    if (this.host.journal.reserve()) this.#reserved = true;
    if (this.#reserved) this.decide();
    else {
      this.host.journal.reserveLater((reserved) => {
        this.#reserved = reserved;
        if (reserved) this.decide();
        else this.refuse(fault('journal_unavailable', 'no room in the journal within the configured wait'));
      });
    }
  }

  /** Refuses without a decision: there is too much of this peer under way. Room in the journal is taken where there is some. */
  refuseOutright(reason: Fault): void {
    this.#reserved = this.host.journal.reserve();
    this.refuse(reason);
  }

  /** A newer policy revision is active: what is open and no longer allowed is cut (promise 6). */
  rejudge(): void {
    const policy = this.host.policy();
    const before = this.judgement;
    if (this.#state !== 'forwarding' || before === undefined || policy === undefined || policy === before.policy)
      return;
    const input = this.host.mode === 'shadow' ? undefined : this.inputFor(policy, before.input);
    if (input === undefined) return;
    const again = judge(policy, input, this.host.clock);
    if (again.decision.kind !== 'deny') return;
    this.exchange.cut(fault('policy_withdrawn', `the new revision answers ${again.decision.fault.code}`));
  }

  protected abstract decide(): void;
  protected abstract writeRefusal(reason: Fault): void;
  /** The input that `policy` would have been given; `before` is what an earlier revision was given. Undefined where it can no longer be had. */
  protected abstract inputFor(policy: Policy, before: PolicyInput): PolicyInput | undefined;

  /** What the record can still say of something that was refused before an input was made of it. */
  protected asReceived(): RecordFacts['asReceived'] {
    return undefined;
  }

  protected refuse(reason: Fault): void {
    this.#state = 'refusing';
    this.reason = reason;
    this.writeRefusal(reason);
  }

  protected forwarding(): void {
    this.#state = 'forwarding';
    this.#forwardedAtMs = this.host.clock.monotonicMs();
  }

  protected close(outcome: Outcome): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const { judgement, exchange } = this;
    const now = this.host.clock.monotonicMs();
    const facts: RecordFacts = {
      decisionId: this.decisionId,
      atMs: exchange.receivedAtMs,
      connection: exchange.connection,
      peer: exchange.peer,
      destination: this.destination,
      policy: judgement?.policy ?? this.host.policy(),
      input: judgement?.input ?? this.unjudgedInput,
      asReceived: judgement === undefined && this.unjudgedInput === undefined ? this.asReceived() : undefined,
      evaluation: judgement?.evaluation,
      decision: judgement?.decision,
      fault: this.reason,
      mode: this.host.mode,
      candidate: this.trial?.facts(),
      trace: this.trace,
      outcome,
      evaluationNs: judgement?.evaluationNs ?? 0,
      totalMs: now - exchange.receivedMonotonicMs,
      forwardMs: this.#forwardedAtMs === undefined ? undefined : now - this.#forwardedAtMs,
    };
    this.letGo();
    this.host.closed(this, facts, this.#reserved);
  }

  /**
   * Forgets everything that the case worked with. A closed case may be reachable for a while (from a socket's last write, a timer's list), and once
   * V8 has moved it to the old generation everything it points to follows, until the next full collection: 8 KB a request, and an eighth of the CPU.
   */
  protected letGo(): void {
    this.#exchange = undefined;
    this.judgement = undefined;
    this.unjudgedInput = undefined;
    this.trace = undefined;
    this.trial = undefined;
  }
}
