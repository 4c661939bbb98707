import { FAULTS, type FaultCode } from '../model/faults.ts';
import type { Policy } from '../model/policy.ts';
import type { PolicyInput } from '../model/policy-input.ts';
import type { RecordFacts } from '../model/record-facts.ts';
import { GENESIS, sealLine } from './chain.ts';
import { DEFAULT_MASK, maskInput, maskResult, type MaskDefaults } from './default-mask.ts';
import { encodeRecord, type Findings } from './encode.ts';
import { fitInput, fitNdBuiltinCache, fitResult, type Fit } from './fit.ts';
import { inputText } from './input-text.ts';
import { inert } from './json-text.ts';
import { applyMask, askDrop, erasedAll, type Maskable, type MaskError } from './policy-mask.ts';
import { verdictOf } from './verdict.ts';

export type RecorderOptions = {
  /** In every record: `id` of this instance, `version` of Sallyport, and what the operator adds. */
  readonly labels: Readonly<Record<string, string>>;
  /** Hash of the line that the first record follows; default `GENESIS`, a new chain. */
  readonly chainStart?: string | undefined;
  readonly mask?: MaskDefaults | undefined;
  /** Largest `input` and `result`, bytes of JSON; what is larger is erased part by part. Defaults 32 KiB and 16 KiB. */
  readonly inputBytes?: number | undefined;
  readonly resultBytes?: number | undefined;
  /** Numbers the decisions (`req_id`); default: counted from 1. For threads that count together. */
  readonly nextNumber?: (() => number) | undefined;
};

/** Makes the decision log of one process: one line a decision, each chained to the one before. */
export interface Recorder {
  /**
   * The line (without line end) of one decision, or undefined where the policy's `data.system.log.drop` says that it is not to be logged. Lines
   * are to be written in the order in which they are made. Never throws.
   */
  record(facts: RecordFacts): string | undefined;
  /** The same without its place in the chain, for a thread that makes lines and leaves it to another one to `seal` them. */
  open(facts: RecordFacts): string | undefined;
  /** Chains a line that `open` made, here or in another thread. */
  seal(open: string): string;
  /** Hash of the newest line: the end of the chain. */
  readonly head: string;
}

/** Creates a recorder at the start of a chain. */
export function createRecorder(options: RecorderOptions): Recorder {
  return new ChainedRecorder(options);
}

/** Answers of non-deterministic built-ins are few and small. */
const ND_BUILTIN_CACHE_BYTES = 4_096;

type Findable = Omit<Findings, 'verdict' | 'requestNumber'>;

class ChainedRecorder implements Recorder {
  readonly #labels: string;
  readonly #mask: MaskDefaults;
  /** For an input as the gate made it, but for our own masks; and for whatever a policy's mask made of it. */
  readonly #fitInput: Fit;
  readonly #fitMaskedInput: Fit;
  readonly #fitResult: Fit;
  readonly #fitNdBuiltinCache = fitNdBuiltinCache(ND_BUILTIN_CACHE_BYTES);
  readonly #nextNumber: () => number;
  #head: string;
  /** Of the decision that is being written. */
  #number = 0;
  /** `bundles` of the policy that was last written, as JSON. */
  #bundles: { readonly policy: Policy | undefined; readonly json: string } = { policy: undefined, json: '{}' };

  constructor(options: RecorderOptions) {
    this.#labels = inert(JSON.stringify(options.labels));
    this.#mask = options.mask ?? DEFAULT_MASK;
    const inputBytes = options.inputBytes ?? 32_768;
    this.#fitInput = fitInput(inputBytes, (input) => inputText(input as PolicyInput));
    this.#fitMaskedInput = fitInput(inputBytes);
    this.#fitResult = fitResult(options.resultBytes ?? 16_384);
    this.#head = options.chainStart ?? GENESIS;
    let count = 0;
    this.#nextNumber = options.nextNumber ?? (() => (count += 1));
  }

  get head(): string {
    return this.#head;
  }

  record(facts: RecordFacts): string | undefined {
    const open = this.open(facts);
    return open === undefined ? undefined : this.seal(open);
  }

  seal(open: string): string {
    const { line, hash } = sealLine(open, this.#head);
    this.#head = hash;
    return line;
  }

  /** A fault of ours must not cost the record: then it is written without input and result. */
  open(facts: RecordFacts): string | undefined {
    this.#number = this.#nextNumber();
    try {
      const found = this.#find(facts);
      return found === undefined ? undefined : this.#encode(facts, found);
    } catch (thrown) {
      const message = `record: ${thrown instanceof Error ? thrown.message : 'threw'}`;
      const bare = erasedAll(partsOf(facts), { code: 'internal_error', message });
      return this.#encode(facts, {
        ...bare,
        input: undefined,
        result: undefined,
        ndBuiltinCache: undefined,
        reasons: [],
      });
    }
  }

  /** What the record says after masking; undefined where it is dropped. */
  #find(facts: RecordFacts): Findable | undefined {
    const policy = facts.policy;
    const raw = partsOf(facts);
    const event = policy?.mask === undefined && policy?.drop === undefined ? undefined : this.#event(facts, raw);
    const dropped = policy?.drop === undefined ? undefined : askDrop(policy.drop, event);
    if (dropped?.drop === true) return undefined;
    const traces = { erased: [] as string[], masked: [] as string[] };
    const parts = {
      input: facts.input && maskInput(facts.input, this.#mask, traces),
      result: maskResult(raw.result, this.#mask, traces),
      ndBuiltinCache: raw.ndBuiltinCache,
    };
    const own = policy?.mask === undefined ? undefined : applyMask(policy.mask, event, parts);
    const { erased, masked } = traces;
    erased.push(...(own?.erased ?? []));
    masked.push(...(own?.masked ?? []));
    const left = own ?? parts;
    return {
      input: own === undefined ? this.#fitInput(parts.input, erased) : this.#fitMaskedInput(own.input, erased),
      result: this.#fitResult(left.result, erased),
      ndBuiltinCache: this.#fitNdBuiltinCache(left.ndBuiltinCache, erased),
      error: joined([policyError(facts), own?.error, dropped?.error]),
      erased,
      masked,
      reasons: reasonsLeft(facts, parts.result, left.result),
    };
  }

  /** The event that mask and drop rules see as `input`: the record as OPA would log it, before any masking, without its place in the chain. */
  #event(facts: RecordFacts, raw: Maskable): unknown {
    const input = raw.input === undefined ? undefined : JSON.stringify(raw.input);
    const result = raw.result === undefined ? undefined : JSON.stringify(raw.result);
    const ndBuiltinCache = raw.ndBuiltinCache === undefined ? undefined : JSON.stringify(raw.ndBuiltinCache);
    const reasons = facts.decision?.reasons ?? [];
    const found = { input, result, ndBuiltinCache, error: policyError(facts), erased: [], masked: [], reasons };
    const open = this.#encode(facts, found);
    return JSON.parse(`${open.slice(0, -1)}}}`);
  }

  #encode(facts: RecordFacts, found: Findable): string {
    const { policy } = facts;
    if (policy !== this.#bundles.policy) this.#bundles = { policy, json: inert(JSON.stringify(policy?.bundles ?? {})) };
    const all = { ...found, verdict: verdictOf(facts), requestNumber: this.#number };
    return encodeRecord(facts, all, this.#labels, this.#bundles.json);
  }
}

/** What of a decision may hold secrets, as it was before any masking. */
function partsOf({ input, evaluation }: RecordFacts): Maskable {
  const answered = evaluation === undefined || evaluation.kind === 'failed' ? undefined : evaluation;
  const result = answered?.kind === 'defined' ? answered.value : undefined;
  return { input, result, ndBuiltinCache: answered?.ndBuiltinCache };
}

/** `error` of OPA's event: evaluation failed, or its answer was none that could be used. An ordinary denial is no error. */
function policyError(facts: RecordFacts): MaskError | undefined {
  const fault = facts.evaluation?.kind === 'failed' ? facts.evaluation.fault : facts.fault;
  if (fault === undefined || !isPolicyError(fault.code)) return undefined;
  return { code: fault.code, message: fault.detail };
}

function isPolicyError(code: FaultCode): boolean {
  if (code === 'policy_denied' || code === 'policy_withdrawn') return false;
  return FAULTS[code].party === 'policy' || code.startsWith('policy_') || code === 'internal_error';
}

/** One `error` from several: the first one's code, everybody's message. */
function joined(errors: readonly (MaskError | undefined)[]): MaskError | undefined {
  const [first, ...rest] = errors.filter((error) => error !== undefined);
  if (first === undefined) return undefined;
  return { code: first.code, message: [first, ...rest].map((error) => error.message).join('; ') };
}

/** The policy's reasons, unless its own mask took something out of the result: then only those that still stand there. */
function reasonsLeft(facts: RecordFacts, before: unknown, after: unknown): readonly string[] {
  const reasons = facts.decision?.reasons ?? [];
  if (before === after) return reasons;
  const left = (after as { readonly reasons?: unknown } | null | undefined)?.reasons;
  return Array.isArray(left) ? left.filter((reason) => typeof reason === 'string') : [];
}
