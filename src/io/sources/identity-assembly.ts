import { withoutRollback } from '../../core/identity/newest-lists.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { joinParts, judgeOwn, sameBytes, standingFault } from './identity-join.ts';
import { createSnapshot } from './identity-snapshot.ts';
import { systemTimer } from './timer.ts';

import type { OwnIdentity } from '../../core/identity/own-identity.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Clock, Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Source } from './follower.ts';
import type { JoinedParts } from './identity-join.ts';
import type { IdentityPart, NamedPart } from './identity-part.ts';
import type { IdentitySnapshot } from './identity-snapshot.ts';
import type { Problems } from './problem.ts';

/** What an assembly works with. */
export type AssemblyDeps = {
  readonly clock: Clock;
  readonly timer?: Timer | undefined;
  /** The trust domain that our certificate must be of; default: any. */
  readonly trustDomain?: TrustDomain | undefined;
  readonly onChange?: ((snapshot: IdentitySnapshot) => void) | undefined;
  readonly onProblem?: ((problem: Problems | undefined) => void) | undefined;
  /** The identity that was in force is so no more, and none is in its place: it expired, was withdrawn or revoked. `current` is undefined from then on. */
  readonly onLost?: ((reason: string) => void) | undefined;
};

/** Between looks at the clock, milliseconds. */
const LOOK_MS = 1_000;
/** What was refused is judged again after so long: what is not yet valid may become so. */
const RETRY_MS = 30_000;
/** At a start, parts that are not required are waited for no longer. */
const PATIENCE_MS = 5_000;

/**
 * Joins the parts of an identity into one source: each change of a part is one change of the whole, or none. Earlier parts go before later ones where both
 * have a bundle of the same trust domain. What a part brings and does not fit is refused in its name; what it brought before stays. The identity is
 * `current` until the earliest end of its chain and never beyond.
 */
export function createIdentityAssembly(parts: readonly NamedPart[], deps: AssemblyDeps): Source<IdentitySnapshot> {
  return new Assembly(parts, deps);
}

/** One part and how far it got. */
type Slot = {
  readonly name: string;
  readonly required: boolean;
  readonly source: Source<IdentityPart>;
  /** The newest that it brought. */
  offered: IdentityPart | undefined;
  /** What of it is in force. */
  accepted: IdentityPart | undefined;
  /** Its revocation lists in force: newer than those of `accepted` where it went back to older ones. */
  crls: readonly Uint8Array[];
  /** What is wrong with `offered`, or with lists of it that are passed over. */
  refusal: Problems;
};

/** All that was accepted, as one. `own` is undefined where no part has a certificate for us. */
type Whole = { readonly joined: JoinedParts; readonly own: OwnIdentity | undefined };

class Assembly implements Source<IdentitySnapshot> {
  readonly #deps: AssemblyDeps;
  readonly #timer: Timer;
  readonly #slots: readonly Slot[];
  #whole: Whole | undefined;
  #snapshot: IdentitySnapshot | undefined;
  /** Why `#snapshot` is not in force any more. */
  #lost: string | undefined;
  /** Of what is in force, for the operator. */
  #complaints: Problems = [];
  #problem: Problems | undefined;
  #triedMs = Number.NEGATIVE_INFINITY;
  #wasExpired = false;
  #running = false;
  #stopped = false;
  #cancelLook: (() => void) | undefined;

  constructor(parts: readonly NamedPart[], deps: AssemblyDeps) {
    this.#deps = deps;
    this.#timer = deps.timer ?? systemTimer;
    this.#slots = parts.map((part) => this.#slot(part));
  }

  #slot({ name, required = false, create }: NamedPart): Slot {
    const source = create({
      onChange: (part) => {
        slot.offered = part;
        this.#settle();
      },
      onProblem: () => this.#tell(),
    });
    const slot: Slot = { name, required, source, offered: undefined, accepted: undefined, crls: [], refusal: [] };
    return slot;
  }

  get current(): IdentitySnapshot | undefined {
    if (this.#lost !== undefined || this.#snapshot === undefined) return undefined;
    return this.#deps.clock.wallMs() > this.#snapshot.own.validUntilMs ? undefined : this.#snapshot;
  }

  get problem(): Problems | undefined {
    return this.#problem;
  }

  async start(): Promise<void> {
    const started = this.#slots.map((slot) => ({ slot, done: slot.source.start() }));
    const patience = Promise.withResolvers<undefined>();
    const cancel = this.#timer(PATIENCE_MS, () => patience.resolve(undefined));
    const needed = started.filter(({ slot }) => slot.required).map(({ done }) => done);
    await Promise.all([...needed, Promise.race([patience.promise, Promise.all(started.map(({ done }) => done))])]);
    cancel();
    if (this.#stopped) return;
    this.#running = true;
    this.#settle();
    this.#look();
  }

  async reload(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.source.reload()));
    this.#settle();
  }

  stop(): void {
    this.#stopped = true;
    this.#running = false;
    this.#cancelLook?.();
    for (const slot of this.#slots) slot.source.stop();
  }

  #look(): void {
    this.#cancelLook = this.#timer(LOOK_MS, () => {
      const { clock } = this.#deps;
      const isDue = clock.monotonicMs() - this.#triedMs >= RETRY_MS;
      const isExpired = clock.wallMs() > (this.#whole?.own?.validUntilMs ?? Number.POSITIVE_INFINITY);
      if ((isDue && this.#pending().length > 0) || isExpired !== this.#wasExpired) this.#settle();
      this.#wasExpired = isExpired;
      if (this.#running) this.#look();
    });
  }

  #pending(): readonly Slot[] {
    return this.#slots.filter((slot) => slot.offered !== slot.accepted);
  }

  /** Takes all that is new, or of it what fits. */
  #settle(): void {
    if (!this.#running) return;
    this.#triedMs = this.#deps.clock.monotonicMs();
    let pending = this.#pending();
    if (pending.length > 1 && this.#take(pending)) pending = [];
    for (let left = -1; pending.length > 0 && pending.length !== left;) {
      left = pending.length;
      pending = pending.filter((slot) => !this.#take([slot]));
    }
    this.#putInForce();
  }

  /** Accepts what these parts offer, together, or nothing of it. */
  #take(slots: readonly Slot[]): boolean {
    // A part that goes back to older lists would have us forget revocations. Each is compared with itself alone: lists of several parts all count.
    const lists = new Map(slots.map((slot) => [slot, withoutRollback(slot.crls, slot.offered?.crls ?? [])]));
    const contents = this.#slots.flatMap((slot) => {
      const part = lists.has(slot) ? slot.offered : slot.accepted;
      const crls = lists.get(slot)?.crls ?? slot.crls;
      return part === undefined ? [] : [{ name: slot.name, part: { ...part, crls } }];
    });
    const joined = joinParts(contents, this.#whole?.joined.trust);
    const own = joined.ok ? this.#judgeOwn(joined.value) : joined;
    if (!joined.ok || !own.ok) {
      for (const slot of slots) slot.refusal = own.ok ? [] : own.error;
      return false;
    }
    this.#whole = { joined: joined.value, own: own.value };
    for (const [slot, { crls, problems }] of lists)
      Object.assign(slot, { accepted: slot.offered, crls, refusal: problems });
    return true;
  }

  /**
   * A certificate is judged when it is new. The one in force is not given up for trust that verifies it no more: to refuse such trust would be to believe a
   * root that was taken out, for our own sake.
   */
  #judgeOwn({ own, trust }: JoinedParts): Result<OwnIdentity | undefined, Problems> {
    const before = this.#whole;
    if (own === undefined) return ok(undefined);
    const held = before?.joined.own;
    const isSame = held !== undefined && held.tlsKey === own.tlsKey && sameBytes(own.chain, held.chain);
    if (isSame) return ok(before?.own);
    return judgeOwn(own, trust, this.#deps.clock.wallMs(), this.#deps.trustDomain);
  }

  /** Makes of what was accepted what is in force. */
  #putInForce(): void {
    if (!this.#running) return;
    const made = this.#make();
    if (made.ok) this.#swap(made.value);
    else this.#lose(made.error);
    this.#tell();
  }

  #make(): Result<IdentitySnapshot, string> {
    this.#complaints = [];
    const missing = this.#slots.find((slot) => slot.required && slot.accepted === undefined);
    if (missing !== undefined) return err(`${missing.name} has brought nothing yet`);
    const { joined, own } = this.#whole ?? {};
    if (joined?.own === undefined || own === undefined)
      return err(this.#snapshot === undefined ? 'there is no certificate yet' : 'our certificate was withdrawn');
    const now = this.#deps.clock.wallMs();
    if (now > own.validUntilMs) return err(`our certificate expired at ${new Date(own.validUntilMs).toISOString()}`);
    const fault = standingFault(joined.own.chain, joined.trust, own.trustDomain, now);
    if (fault?.code === 'peer_certificate_revoked') return err(`our certificate was revoked: ${fault.detail}`);
    if (fault !== undefined)
      this.#complaints = [`peers may refuse our certificate, which our own trust does not verify: ${fault.detail}`];
    return createSnapshot({ ...joined, own, part: joined.own, chosenLists: false });
  }

  #swap(snapshot: IdentitySnapshot): void {
    const before = this.#snapshot;
    const isSame =
      this.#lost === undefined &&
      before?.revision === snapshot.revision &&
      before.warnings.join('\n') === snapshot.warnings.join('\n');
    if (isSame) return;
    this.#snapshot = snapshot;
    this.#lost = undefined;
    this.#deps.onChange?.(snapshot);
  }

  #lose(reason: string): void {
    this.#complaints = [reason];
    if (this.#snapshot === undefined || this.#lost !== undefined) return;
    this.#lost = reason;
    this.#deps.onLost?.(reason);
  }

  /** Everything that is wrong, each part in its own name. */
  #tell(): void {
    if (!this.#running) return;
    const ofParts = this.#slots.flatMap(({ name, source, refusal }) =>
      [...(source.problem ?? []), ...refusal].map((problem) => `${name}: ${problem}`),
    );
    const all = [...ofParts, ...this.#complaints];
    const problem = all.length === 0 ? undefined : all;
    if (problem?.join('\n') === this.#problem?.join('\n')) return;
    this.#problem = problem;
    this.#deps.onProblem?.(problem);
  }
}
