import { OPCODE } from './instruction.ts';
import type { Instruction } from './rule-index-code.ts';

/** Where a block may be left early, and the locals that are not set then and would be otherwise. */
export type EarlyExit = { readonly at: number; readonly locals: readonly number[] };

/** A construct that is open: the locals that may differ where it ends, and where its `else` begins. */
type Frame = { readonly loop: boolean; atEnd: ReadonlySet<number>; readonly atElse: ReadonlySet<number> | undefined };

const NONE: ReadonlySet<number> = new Set();

/**
 * True where nobody can see that blocks were left early: a local that was not set because of it is never read before it is set anew. Follows all ways
 * through the code, with the locals that may differ at each point; exits must not lie in loops, so that going round one adds nothing.
 * Each exit goes where a failing `br_if 0` at the same place goes.
 */
export function exitsAreUnseen(code: readonly Instruction[], exits: readonly EarlyExit[]): boolean {
  return new Walk(exits).run(code);
}

class Walk {
  readonly #exits: ReadonlyMap<number, readonly number[]>;
  readonly #open: Frame[] = [];
  /** Locals that may differ here; undefined where no way leads. */
  #differ: ReadonlySet<number> | undefined = NONE;

  constructor(exits: readonly EarlyExit[]) {
    this.#exits = new Map(exits.map(({ at, locals }) => [at, locals]));
  }

  run(code: readonly Instruction[]): boolean {
    return code.every((instruction, index) => {
      const skipped = this.#exits.get(index);
      if (skipped !== undefined && this.#differ !== undefined) this.#leave(0, union(this.#differ, new Set(skipped)));
      return this.#step(instruction);
    });
  }

  /** False where a local is read that may differ, or the code is not understood. */
  #step({ opcode, operand }: Instruction): boolean {
    switch (opcode) {
      case OPCODE.localGet:
        return this.#differ?.has(operand) !== true;
      case OPCODE.localSet:
      case OPCODE.localTee:
        this.#set(operand);
        return true;
      case OPCODE.block:
      case OPCODE.loop:
      case OPCODE.if:
        this.#enter(opcode);
        return true;
      case OPCODE.else:
        this.#else();
        return true;
      case OPCODE.end:
        this.#end();
        return true;
      case OPCODE.br:
      case OPCODE.brIf:
        if (this.#differ !== undefined) this.#leave(operand, this.#differ);
        if (opcode === OPCODE.br) this.#differ = undefined;
        return true;
      case OPCODE.return:
      case OPCODE.unreachable:
        this.#differ = undefined;
        return true;
      default:
        return opcode !== OPCODE.brTable;
    }
  }

  #set(local: number): void {
    if (this.#differ?.has(local) !== true) return;
    this.#differ = new Set([...this.#differ].filter((one) => one !== local));
  }

  #enter(opcode: number): void {
    const atElse = opcode === OPCODE.if ? (this.#differ ?? NONE) : undefined;
    this.#open.push({ loop: opcode === OPCODE.loop, atEnd: NONE, atElse });
  }

  #else(): void {
    const frame = this.#open.pop();
    const atEnd = union(frame?.atEnd ?? NONE, this.#differ ?? NONE);
    this.#open.push({ loop: false, atEnd, atElse: undefined });
    this.#differ = frame?.atElse ?? NONE;
  }

  #end(): void {
    const frame = this.#open.pop();
    this.#differ = union(union(this.#differ ?? NONE, frame?.atEnd ?? NONE), frame?.atElse ?? NONE);
  }

  #leave(label: number, differ: ReadonlySet<number>): void {
    const frame = this.#open.at(-1 - label);
    if (frame !== undefined && !frame.loop) frame.atEnd = union(frame.atEnd, differ);
  }
}

function union(a: ReadonlySet<number>, b: ReadonlySet<number>): ReadonlySet<number> {
  if (b.size === 0 || a === b) return a;
  return a.size === 0 ? b : new Set([...a, ...b]);
}
