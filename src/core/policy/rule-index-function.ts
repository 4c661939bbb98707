import { NO_RESULT, OPCODE } from './instruction.ts';
import { concat } from '../kernel/bytes.ts';
import { positiveSignedLeb, unsignedLeb } from './module-reader.ts';
import type { ModuleReader } from './module-reader.ts';
import { chooseGuards } from './rule-index-choice.ts';
import type { Guard } from './rule-index-choice.ts';
import { readFunctionCode } from './rule-index-code.ts';
import type { FunctionCode } from './rule-index-code.ts';
import { exitsAreUnseen } from './rule-index-proof.ts';
import { findTestedBlocks } from './rule-index-tests.ts';
import type { Runtime, Step, Test } from './rule-index-tests.ts';

const { block, end, brIf, call, localGet, localSet, localTee, globalGet, i32Const, i32Eqz, i32Ne, i32And, i32Xor } =
  OPCODE;
/** -1 as LEB128. */
const MINUS_ONE = 0x7f;
/** `OPA_ARRAY` (OPA `wasm/src/value.h`), which `IsArrayStmt` is compiled to as well. */
const ARRAY_TYPE = 5;

/** What rewriting a function needs to know of its module; `hashGlobal` gives the global that holds the hash of a constant. */
export type IndexContext = {
  readonly runtime: Runtime;
  readonly globalCount: number;
  readonly hashGlobal: (constant: number) => number;
};

/** A function with an index, and the tests in it. */
export type IndexedFunction = { readonly code: Uint8Array; readonly tests: readonly Test[] };

/** The locals that hold what was found at a place: its hash, and all bits where blocks may be left by it. */
type Finding = { readonly hash: number; readonly decided: number };

/** Rewrites a function so that blocks whose first tests cannot hold are left at once; undefined where that does not pay, or is not provably the same. */
export function indexFunction(
  body: ModuleReader,
  parameters: number,
  context: IndexContext,
): IndexedFunction | undefined {
  const start = body.position;
  const code = readFunctionCode(body, parameters, context.globalCount);
  const guards = chooseGuards(findTestedBlocks(code.instructions, parameters, context.runtime));
  if (guards.length === 0) return undefined;
  const exits = guards.map(({ at, test }) => ({ at, locals: test.locals }));
  if (!exitsAreUnseen(code.instructions, exits)) return undefined;
  return {
    code: rewrite(body.bytes.subarray(start, body.end), start, code, guards, context),
    tests: guards.map(({ test }) => test),
  };
}

function rewrite(
  source: Uint8Array,
  start: number,
  code: FunctionCode,
  guards: readonly Guard[],
  context: IndexContext,
): Uint8Array {
  const scratch = code.locals;
  const findings = new Map<string, Finding>();
  const looks: number[] = [];
  for (const { test } of guards) {
    if (findings.has(test.place.name)) continue;
    const finding = { hash: scratch + 1 + 2 * findings.size, decided: scratch + 2 + 2 * findings.size };
    findings.set(test.place.name, finding);
    looks.push(...look(test, scratch, finding, context));
  }
  const position = (index: number): number => (code.instructions[index]?.at ?? 0) - start;
  const inserts = [{ at: position(guards[0]?.top ?? 0), code: looks }];
  for (const { at, test } of guards) {
    const finding = findings.get(test.place.name);
    if (finding !== undefined) inserts.push({ at: position(at), code: guard(test, finding, context) });
  }
  const header = withLocals(source.subarray(0, code.codeAt - start), 1 + 2 * findings.size);
  return concat([header, ...spliced(source, code.codeAt - start, inserts)]);
}

/** The declarations of a function's locals with more of type i32 behind them. */
function withLocals(declarations: Uint8Array, more: number): Uint8Array {
  // The count is LEB128 of any length, and padded ones end with the first byte below 0x80.
  const groupsAt = declarations.findIndex((byte) => byte < 0x80) + 1;
  const groups = declarations.subarray(0, groupsAt).reduce((sum, byte, i) => sum + (byte & 0x7f) * 2 ** (7 * i), 0);
  return Uint8Array.from([...unsignedLeb(groups + 1), ...declarations.subarray(groupsAt), ...unsignedLeb(more), 0x7f]);
}

function spliced(
  source: Uint8Array,
  from: number,
  inserts: readonly { readonly at: number; readonly code: readonly number[] }[],
): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let position = from;
  for (const { at, code } of inserts) {
    parts.push(source.subarray(position, at), Uint8Array.from(code));
    position = at;
  }
  return [...parts, source.subarray(position)];
}

/**
 * Looks at a place: what is not there equals nothing, and of what has the type of the constants the hash is kept. Anything else decides nothing.
 * Nothing is done that a block could not do: a place is read as the block reads it, and numbers are used on arrays only.
 */
function look(
  { place, constant }: Test,
  value: number,
  { hash, decided }: Finding,
  { runtime }: IndexContext,
): number[] {
  const [unknown, absent] = [1, 0];
  const keep = [localTee, ...unsignedLeb(value), i32Eqz, brIf, absent];
  const typeOfValue = [...read(value), ...callOf(runtime.type)];
  const typeOfConstant = [...addressOf(constant), ...callOf(runtime.type)];
  return [
    [block, NO_RESULT, block, NO_RESULT],
    [...read(place.root), ...keep],
    ...place.steps.map((step) => [...stepInto(step, value, runtime, unknown), ...keep]),
    [...typeOfValue, ...typeOfConstant, i32Ne, brIf, unknown],
    [...read(value), ...callOf(runtime.hash), localSet, ...unsignedLeb(hash)],
    [end, i32Const, MINUS_ONE, localSet, ...unsignedLeb(decided), end],
  ].flat();
}

function stepInto(step: Step, value: number, { get, type, number }: Runtime, unknown: number): number[] {
  if (step.kind === 'key') return [...read(value), ...addressOf(step.address), ...callOf(get)];
  const arrayOnly = [...read(value), ...callOf(type), i32Const, ARRAY_TYPE, i32Ne, brIf, unknown];
  const made = [...addressOf(step.address), i32Const, ...positiveSignedLeb(step.length), ...callOf(number)];
  return [...arrayOnly, ...read(value), ...made, ...callOf(get)];
}

/** `leave the block if (hash ^ hash of the constant) & decided`: values of different hashes are not equal. */
function guard({ constant }: Test, { hash, decided }: Finding, { hashGlobal }: IndexContext): number[] {
  const differs = [...read(hash), globalGet, ...unsignedLeb(hashGlobal(constant)), i32Xor];
  return [...differs, ...read(decided), i32And, brIf, 0];
}

function read(local: number): number[] {
  return [localGet, ...unsignedLeb(local)];
}

function addressOf(value: number): number[] {
  return [i32Const, ...positiveSignedLeb(value)];
}

function callOf(index: number): number[] {
  return [call, ...unsignedLeb(index)];
}
