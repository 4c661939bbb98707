import type { DecisionId } from '../kernel/brand.ts';
import { fault, type Fault } from '../model/faults.ts';
import type { Policy } from '../model/policy.ts';
import type { PolicyInput } from '../model/policy-input.ts';
import { Case, type CaseHost } from './case.ts';
import type { RawExchange } from './exchange.ts';
import { rawConnectionInput, type ConnectionInput } from './input.ts';
import { judge } from './judgement.ts';
import { Permit } from './permit.ts';
import type { Forward } from './ports.ts';
import type { ReadInput } from './readings.ts';
import { Trial } from './trial.ts';

/** One connection whose bytes are forwarded unread (TCP): decided on who is calling, before the first byte; recorded when it ends. */
export class ConnectionCase<R extends RawExchange> extends Case<R> {
  readonly #input: ConnectionInput;
  readonly #forward: Forward<R>;

  constructor(host: CaseHost, exchange: R, decisionId: DecisionId, input: ConnectionInput, forward: Forward<R>) {
    super(host, exchange, decisionId);
    this.#input = input;
    this.#forward = forward;
  }

  protected override decide(): void {
    const policy = this.host.policy();
    if (policy !== undefined) this.judgement = judge(policy, rawConnectionInput(this.#input), this.host.clock);
    const denial = policy === undefined ? fault('policy_unavailable', 'no policy revision is active') : this.#denial();
    const candidate = this.host.candidate();
    if (candidate !== undefined) {
      const read = (): ReadInput => ({ input: rawConnectionInput(this.#input), fault: undefined });
      this.trial = new Trial(candidate, read, this.host.clock, denial === undefined, false);
    }
    if (denial !== undefined && this.host.mode === 'enforce') {
      this.refuse(denial);
      return;
    }
    if (denial !== undefined) this.reason = denial;
    this.forwarding();
    const permit = Permit.mint(this.decisionId, this.exchange.connection, undefined);
    this.#forward(permit, this.exchange, (outcome) => this.close(outcome));
    this.trial?.weigh();
  }

  #denial(): Fault | undefined {
    const decision = this.judgement?.decision;
    return decision?.kind === 'deny' ? decision.fault : undefined;
  }

  protected override writeRefusal(_reason: Fault): void {
    this.exchange.refuse((outcome) => this.close(outcome));
  }

  protected override inputFor(_policy: Policy, before: PolicyInput): PolicyInput {
    return before;
  }
}
