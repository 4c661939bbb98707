import { Gate, type GateSettings, type JudgeIdentity } from '../../src/core/gate/gate.ts';
import type { Permit } from '../../src/core/gate/permit.ts';
import type { JournalPort } from '../../src/core/gate/ports.ts';
import type { SpiffeId } from '../../src/core/kernel/brand.ts';
import { DEFAULT_LIMITS, STRICT_PATHS } from '../../src/core/model/limits.ts';
import type { Outcome } from '../../src/core/model/outcome.ts';
import type { Evaluation, InputNeeds, Policy } from '../../src/core/model/policy.ts';
import type { PolicyInput } from '../../src/core/model/policy-input.ts';
import type { DecisionRecord } from '../../src/core/model/record.ts';
import type { RecordFacts } from '../../src/core/model/record-facts.ts';
import type { ProtoDescriptors } from '../../src/core/request/grpc-body.ts';
import { createRecorder } from '../../src/core/record/recorder.ts';
import { fakePeer, type FakeExchange, type FakeRawExchange } from './fake-exchange.ts';

/** A policy that answers as told and remembers what it was asked. */
export class FakePolicy implements Policy {
  readonly bundles: Policy['bundles'];
  readonly entrypoint = 'test/allow';
  readonly needs: InputNeeds;
  readonly mask = undefined;
  drop: Policy['drop'] = undefined;
  readonly asked: PolicyInput[] = [];
  #answer: (input: PolicyInput) => Evaluation;

  constructor(answer: unknown, needs: Partial<InputNeeds> = {}, revision = '1') {
    this.bundles = { test: { revision } };
    this.needs = { parsedBody: false, rawBody: false, parsedQuery: false, peerCertificate: false, ...needs };
    this.#answer = () => ({ kind: 'defined', value: answer, steps: 7, cached: false });
  }

  /** Answers by a function of the input instead. */
  answering(answer: (input: PolicyInput) => Evaluation): this {
    this.#answer = answer;
    return this;
  }

  evaluate(input: PolicyInput): Evaluation {
    this.asked.push(input);
    return this.#answer(input);
  }
}

/** A journal in memory with room for as many records as told. */
export class FakeJournal implements JournalPort {
  room: number;
  readonly lines: string[] = [];
  readonly unreserved: string[] = [];
  readonly waiting: ((reserved: boolean) => void)[] = [];

  constructor(room = 1_000) {
    this.room = room;
  }

  reserve(): boolean {
    if (this.room === 0) return false;
    this.room -= 1;
    return true;
  }

  reserveLater(done: (reserved: boolean) => void): void {
    this.waiting.push(done);
  }

  release(): void {
    this.room += 1;
  }

  write(line: string): void {
    this.lines.push(line);
  }

  writeUnreserved(line: string): void {
    this.unreserved.push(line);
  }

  /** All records, in the order of `lines` and then `unreserved`. */
  get records(): DecisionRecord[] {
    return [...this.lines, ...this.unreserved].map((line) => JSON.parse(line) as DecisionRecord);
  }
}

/** What was forwarded, and how to end it. Ends at once with 200 unless `hold` is set. */
export class FakeForwarder {
  hold = false;
  readonly permits: Permit[] = [];
  readonly finish: ((outcome: Outcome) => void)[] = [];

  readonly forward = (
    permit: Permit,
    exchange: FakeExchange | FakeRawExchange,
    done: (outcome: Outcome) => void,
  ): void => {
    this.permits.push(permit);
    exchange.onCut = (fault) => done({ kind: 'aborted', by: 'us', fault, status: 0, bytesIn: 0, bytesOut: 0 });
    if (this.hold) this.finish.push(done);
    else done({ kind: 'forwarded', status: 200, bytesIn: 3, bytesOut: 5 });
  };
}

/** A gate with everything around it in memory. */
export class FakeGateWorld {
  policy: Policy | undefined = new FakePolicy(true);
  candidate: Policy | undefined = undefined;
  identity: JudgeIdentity = () => fakePeer();
  /** Who we are. */
  ownId: SpiffeId | undefined = 'spiffe://example.org/agents/researcher' as SpiffeId;
  descriptors: ProtoDescriptors | undefined = undefined;
  readonly journal: FakeJournal;
  readonly forwarder = new FakeForwarder();
  readonly observed: string[] = [];
  readonly facts: RecordFacts[] = [];
  readonly gate: Gate<FakeExchange, FakeRawExchange>;
  #monotonicMs = 100;

  constructor(over: Partial<GateSettings> = {}, journal = new FakeJournal()) {
    this.journal = journal;
    const recorder = createRecorder({ labels: { id: 'test', version: '0' } });
    let counter = 0;
    this.gate = new Gate<FakeExchange, FakeRawExchange>(
      { mode: 'enforce', limits: DEFAULT_LIMITS, tolerance: STRICT_PATHS, listener: '0.0.0.0:8443', ...over },
      {
        clock: { wallMs: () => 6_000, monotonicMs: () => (this.#monotonicMs += 1) },
        random: (length) => Uint8Array.from({ length }, () => (counter += 1) & 0xff),
        identity: (presented, resumed) => this.identity(presented, resumed),
        ownId: () => this.ownId,
        policy: () => this.policy,
        candidate: () => this.candidate,
        descriptors: () => this.descriptors,
        record: (facts) => recorder.record(facts),
        journal,
        observer: {
          decided: (facts, verdict, code) => {
            this.observed.push(`${verdict} ${code ?? '-'}`);
            this.facts.push(facts);
          },
        },
        forward: this.forwarder.forward,
        forwardRaw: this.forwarder.forward,
      },
    );
  }
}
