import type { DecisionId } from '../kernel/brand.ts';
import { firstHeader } from '../kernel/headers.ts';
import { hex } from '../kernel/uuid.ts';
import type { Random } from '../kernel/clock.ts';
import { NO_OBLIGATIONS, type DenialAnswer, type Obligations } from '../model/decision.ts';
import { fault, type Fault } from '../model/faults.ts';
import type { Limits, PathTolerance } from '../model/limits.ts';
import type { Policy } from '../model/policy.ts';
import type { PolicyInput } from '../model/policy-input.ts';
import type { RecordFacts } from '../model/record-facts.ts';
import type { CanonicalRequest } from '../model/request.ts';
import { checkCallerToken } from '../request/caller-token.ts';
import { canonicalise } from '../request/canonicalise.ts';
import type { ProtoDescriptors } from '../request/grpc-body.ts';
import { fromBrowser } from '../request/plain-call.ts';
import { Case, type CaseHost } from './case.ts';
import type { CollectedBody, Exchange } from './exchange.ts';
import type { FindDestination } from './destinations.ts';
import type { ConnectionInput } from './input.ts';
import { judge } from './judgement.ts';
import { applyObligations } from './obligations.ts';
import type { InputTo } from './outbound-input.ts';
import { Permit } from './permit.ts';
import type { Forward } from './ports.ts';
import { bodyWanted, readInput, type ReadInput } from './readings.ts';
import { refusalAnswer } from './refusal.ts';
import { Trial } from './trial.ts';

/** What a request case needs besides its host. */
export type RequestGuard<E> = {
  readonly limits: Limits;
  readonly tolerance: PathTolerance;
  readonly random: Random;
  readonly descriptors: () => ProtoDescriptors | undefined;
  readonly forward: Forward<E>;
  /** Outbound: where the agent may call. */
  readonly destinations: FindDestination | undefined;
  /** Outbound: what every call has to show. */
  readonly callerToken: string | undefined;
};

/** The facts of a connection that its requests share. */
export type ConnectionFacts = {
  readonly input: ConnectionInput;
  readonly clientCertHeader: string | undefined;
  /** Outbound: the input of a call to one destination, instead of `input`. */
  readonly inputTo: InputTo | undefined;
};

/**
 * One request from complete head to written record. Read top down: `decide` (canonical request), `#direct` (outbound: where to), `#collect` (body, only if read),
 * `#judge` (input, policy), then `#pass` or `refuse`.
 */
export class RequestCase<E extends Exchange> extends Case<E> {
  readonly #guard: RequestGuard<E>;
  readonly #facts: ConnectionFacts;
  #base: ConnectionInput;
  #request: CanonicalRequest | undefined;
  #denial: DenialAnswer | undefined;
  #bodyCollected = false;

  constructor(host: CaseHost, exchange: E, decisionId: DecisionId, guard: RequestGuard<E>, facts: ConnectionFacts) {
    super(host, exchange, decisionId);
    this.#guard = guard;
    this.#facts = facts;
    this.#base = facts.input;
  }

  protected override decide(): void {
    const { random } = this.#guard;
    const canonical = canonicalise(this.exchange.head, {
      limits: this.#guard.limits,
      tolerance: this.#guard.tolerance,
      scheme: this.exchange.connection.tls === undefined ? 'http' : 'https',
      clientCertHeader: this.#facts.clientCertHeader,
      requestId: this.decisionId,
      newSpanId: () => hex(random(8)),
      newTraceId: () => hex(random(16)),
    });
    if (!canonical.ok) {
      this.refuse(canonical.error);
      return;
    }
    this.#request = canonical.value;
    this.trace = canonical.value.trace;
    const { destinations } = this.#guard;
    const problem = destinations === undefined ? undefined : this.#direct(canonical.value, destinations);
    if (problem === undefined) this.#collect(canonical.value, undefined);
    else this.refuse(problem);
  }

  /** Finds where an outbound call goes. What goes nowhere is refused in shadow mode too: there is nothing that it could be forwarded to. */
  #direct(request: CanonicalRequest, destinations: FindDestination): Fault | undefined {
    const { callerToken } = this.#guard;
    const stranger = callerToken === undefined ? undefined : checkCallerToken(this.exchange.head, callerToken);
    const unwanted = stranger ?? fromBrowser(request.headers);
    if (unwanted !== undefined) return unwanted;
    const destination = destinations(request.authority);
    const input = destination === undefined ? undefined : this.#facts.inputTo?.(destination);
    if (input === undefined)
      return fault('destination_unknown', `no destination is configured for ${request.authority}`);
    this.#base = input;
    this.destination = destination;
    // A policy that asks who calls would say no for the wrong reason.
    return input.principal === undefined
      ? fault('identity_unavailable', 'there is no identity to call with')
      : undefined;
  }

  /** Reads as much of the body as the policy of this moment needs, if any; a policy that came meanwhile may need more. */
  #collect(request: CanonicalRequest, collected: CollectedBody | undefined): void {
    const policy = this.host.policy();
    if (policy === undefined) {
      this.#withoutPolicy(request);
      return;
    }
    const wanted = collected === undefined ? bodyWanted(request, policy.needs, this.#guard.descriptors()) : undefined;
    if (wanted === undefined) {
      this.#judge(request, policy, collected);
      return;
    }
    this.#bodyCollected = true;
    this.exchange.collectBody(this.#guard.limits.inspectedBodyBytes, wanted.enough, (body) => {
      if ('kind' in body) {
        // The record says who asked for what, although there is no body to judge.
        this.unjudgedInput = this.#read(request, policy, undefined).input;
        this.refuse(body);
      } else this.#collect(request, body);
    });
  }

  /** A bundle server that gave no policy yet. In shadow mode that blocks no more than a policy that denies (promise 5). */
  #withoutPolicy(request: CanonicalRequest): void {
    const unavailable = fault('policy_unavailable', 'no policy revision is active');
    if (this.host.mode === 'enforce') {
      this.reason = unavailable;
      this.#try(request, undefined);
      this.refuse(unavailable);
      return;
    }
    this.reason = unavailable;
    this.#try(request, undefined);
    this.#pass(request, NO_OBLIGATIONS);
  }

  #judge(request: CanonicalRequest, policy: Policy, collected: CollectedBody | undefined): void {
    const read = this.#read(request, policy, collected);
    if (read.fault !== undefined && this.host.mode === 'enforce') {
      // OPA-Envoy: what cannot be parsed is refused before any policy runs.
      this.unjudgedInput = read.input;
      this.reason = read.fault;
      this.#try(request, collected);
      this.refuse(read.fault);
      return;
    }
    this.judgement = judge(policy, read.input, this.host.clock);
    const { decision } = this.judgement;
    this.reason = read.fault ?? (decision.kind === 'deny' ? decision.fault : undefined);
    this.#try(request, collected);
    if (this.host.mode === 'shadow') {
      // A policy on trial must not change traffic in any way, so its obligations are not carried out either (promise 5).
      this.#pass(request, NO_OBLIGATIONS);
    } else if (decision.kind === 'allow') this.#pass(request, decision.obligations);
    else {
      this.#denial = decision.answer;
      this.refuse(decision.fault);
    }
  }

  /**
   * Puts the request before the candidate too, once the policy in force has answered. What only the candidate wants of the body is heard as it goes by: were it
   * held, a candidate could delay what it has no say in, or be the reason that it fails.
   */
  #try(request: CanonicalRequest, collected: CollectedBody | undefined): void {
    const candidate = this.host.candidate();
    if (candidate === undefined) return;
    const { limits, descriptors } = this.#guard;
    const wanted = collected === undefined ? bodyWanted(request, candidate.needs, descriptors()) : undefined;
    const read = (heard: CollectedBody | undefined): ReadInput => this.#read(request, candidate, heard ?? collected);
    const trial = new Trial(candidate, read, this.host.clock, this.reason === undefined, wanted !== undefined);
    this.trial = trial;
    if (wanted === undefined) return;
    this.exchange.overhearBody(limits.inspectedBodyBytes, wanted.enough, (body) => trial.heard(body));
  }

  #read(request: CanonicalRequest, policy: Policy, collected: CollectedBody | undefined): ReadInput {
    return readInput({
      base: this.#base,
      request,
      requestId: this.decisionId,
      receivedAtMs: this.exchange.receivedAtMs,
      needs: policy.needs,
      collected,
      descriptors: this.#guard.descriptors(),
    });
  }

  #pass(request: CanonicalRequest, obligations: Obligations): void {
    this.forwarding();
    const permitted = applyObligations(request, obligations);
    const permit = Permit.mint(this.decisionId, this.exchange.connection, permitted, this.destination);
    this.#guard.forward(permit, this.exchange, (outcome) => this.close(outcome));
    this.trial?.weigh();
  }

  protected override letGo(): void {
    super.letGo();
    this.#request = undefined;
    this.#denial = undefined;
  }

  protected override writeRefusal(reason: Fault): void {
    const style = this.#request?.style ?? styleOfUnread(this.exchange);
    const answer = refusalAnswer(reason, style, this.decisionId, this.#denial);
    this.exchange.refuse(answer, (outcome) => this.close(outcome));
  }

  protected override asReceived(): RecordFacts['asReceived'] {
    const { head } = this.exchange;
    if (head.kind === 'http1') return { method: head.method, target: withoutUserInfo(head.target) };
    return { method: firstHeader(head.headers, ':method') ?? '', target: firstHeader(head.headers, ':path') ?? '' };
  }

  /** A policy that reads bodies cannot judge a request whose body has gone by unread; such a request stays decided as it was. */
  protected override inputFor(policy: Policy, before: PolicyInput): PolicyInput | undefined {
    const request = this.#request;
    if (request === undefined) return undefined;
    if (this.#bodyCollected) {
      const source = this.#base.source(policy.needs.peerCertificate);
      return { ...before, attributes: { ...before.attributes, source } };
    }
    const isUnread = bodyWanted(request, policy.needs, this.#guard.descriptors()) !== undefined;
    return isUnread ? undefined : this.#read(request, policy, undefined).input;
  }
}

/** User information in a URI is a name and a password (RFC 9110 section 4.2.4): such a target is refused, and what stands before the `@` is in no record. */
function withoutUserInfo(target: string): string {
  return target.replace(/^((?:[a-z][a-z0-9+.-]*:\/\/)?)[^/?#]*@/i, '$1-@');
}

/** How a refusal looks when the head was refused as a whole: as gRPC where its content type says so. */
function styleOfUnread(exchange: Exchange): CanonicalRequest['style'] {
  const { head } = exchange;
  if (head.kind !== 'http2') return 'http';
  for (let i = 0; i + 1 < head.headers.length; i += 2) {
    if (head.headers[i] === 'content-type')
      return (head.headers[i + 1] ?? '').startsWith('application/grpc') ? 'grpc' : 'http';
  }
  return 'http';
}
