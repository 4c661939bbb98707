import type { Result } from '../kernel/result.ts';
import { ok } from '../kernel/result.ts';
import { fault } from '../model/faults.ts';
import type { Evaluation } from '../model/policy.ts';
import { judgeThrown } from './abort.ts';
import { readAnswer } from './answer.ts';
import type { NondeterministicAnswers } from './answer-book.ts';
import type { BuiltinCall } from './builtin-bridge.ts';
import { PAGE_BYTES, boot, install, prepare } from './instance-image.ts';
import type { Booted, InstanceImage, InstanceOptions } from './instance-image.ts';
import type { LoadProblem } from './load-problem.ts';
import { VALUE_FORMAT } from './policy-abi.ts';

/** How an evaluation is done: with its built-in calls kept, with the answers of an earlier one. */
export type Asking = { readonly trace: boolean; readonly recorded?: NondeterministicAnswers | undefined };

const ORDINARY: Asking = { trace: false };

/**
 * One revision of a policy, ready to evaluate: a module, an image of its memory with the data parsed, and one instance. Every evaluation starts
 * from the same bytes, stack pointer and budget, so an answer and its steps depend on the input only, and nothing that went wrong before is felt.
 * Data is never replaced: another revision is another `PolicyInstance`.
 */
export class PolicyInstance {
  readonly #module: WebAssembly.Module;
  readonly #options: InstanceOptions;
  readonly #image: InstanceImage;
  readonly #statics: Uint8Array;
  /** Undefined after something that may have left memory half written. */
  #live: Booted | undefined;

  private constructor(module: WebAssembly.Module, options: InstanceOptions, image: InstanceImage, live: Booted) {
    this.#module = module;
    this.#options = options;
    this.#image = image;
    this.#statics = image.bytes.subarray(0, image.heapBase - image.stack);
    this.#live = live;
    install(live, image);
  }

  /** Instantiates the module and parses the data, once. `dataText` is JSON written by this host. */
  static open(
    module: WebAssembly.Module,
    dataText: string,
    options: InstanceOptions,
  ): Result<PolicyInstance, LoadProblem> {
    const booted = boot(module, options);
    if (!booted.ok) return booted;
    const image = prepare(booted.value, dataText, options);
    if (!image.ok) return image;
    return ok(new PolicyInstance(module, options, image.value, booted.value));
  }

  /** Entrypoints by name. Their ids are positions and shift between builds, so nothing else selects one. */
  get entrypoints(): ReadonlyMap<string, number> {
    return this.#image.entrypoints;
  }

  /** Size of the linear memory. */
  get memoryBytes(): number {
    return Math.floor(this.#options.memoryBytes / PAGE_BYTES) * PAGE_BYTES;
  }

  /** Names of the host built-ins that the policy calls. */
  get builtins(): readonly string[] {
    return this.#image.builtinTable.flatMap((entry) => entry?.name ?? []).sort();
  }

  /** Built-in calls of the last evaluation that was traced. */
  get calls(): readonly BuiltinCall[] {
    return this.#live?.bridge.calls ?? [];
  }

  /** Asks entrypoint `id` about an input, JSON text written by this host. Never throws. */
  evaluate(id: number, inputText: string, ask: Asking = ORDINARY): Evaluation {
    const live = this.#live ?? this.#renew();
    if (live === undefined)
      return { kind: 'failed', fault: fault('policy_failed', 'no new instance could be made'), steps: 0 };
    try {
      return this.#run(live, id, inputText, ask);
    } catch (thrown) {
      const left = Number(live.exports.budget.value);
      const verdict = judgeThrown(thrown, left);
      if (!verdict.reusable) this.#live = undefined;
      return { kind: 'failed', fault: verdict.fault, steps: this.#options.budget - left };
    }
  }

  #run(live: Booted, id: number, inputText: string, ask: Asking): Evaluation {
    const { guest, bridge, exports } = live;
    const { stack, heapStart, dataAddress } = this.#image;
    const length = guest.write(inputText, heapStart, this.#options.inputBytes);
    if (length === undefined) {
      const detail = `the input is over ${this.#options.inputBytes} bytes`;
      return { kind: 'failed', fault: fault('policy_input_too_large', detail), steps: 0 };
    }
    guest.bytes.set(this.#statics, stack);
    exports.stack.value = stack;
    exports.budget.value = this.#options.budget;
    bridge.begin(ask.trace, ask.recorded);
    const address = exports.evaluate(0, id, dataAddress, heapStart, length, heapStart + length, VALUE_FORMAT);
    const steps = this.#options.budget - Number(exports.budget.value);
    const answer = readAnswer(guest, address);
    if (answer.kind === 'invalid') return { kind: 'failed', fault: answer.fault, steps };
    const notes = bridge.notes.length === 0 ? {} : { builtinErrors: bridge.notes };
    const answers = bridge.answers === undefined ? {} : { ndBuiltinCache: bridge.answers };
    return { ...answer, steps, cached: false, ...notes, ...answers };
  }

  #renew(): Booted | undefined {
    const booted = boot(this.#module, this.#options);
    if (!booted.ok) return undefined;
    install(booted.value, this.#image);
    this.#live = booted.value;
    return booted.value;
  }
}
