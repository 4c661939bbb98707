import { OPCODE, readInstruction } from './instruction.ts';
import { ModuleFault, ModuleReader } from './module-reader.ts';
import { numberType } from './module-layout.ts';

/** An instruction as far as the rule index looks at it: position in the module, and its index, constant, label or block type (0 where it has none). */
export type Instruction = { readonly opcode: number; readonly operand: number; readonly at: number };

/** A function's body, read: its locals with the parameters, where its code begins, and its instructions. */
export type FunctionCode = {
  readonly locals: number;
  readonly codeAt: number;
  readonly instructions: readonly Instruction[];
};

const ONE_BYTE: ReadonlySet<number> = new Set([OPCODE.block, OPCODE.loop, OPCODE.if]);
const INDEX: ReadonlySet<number> = new Set([
  OPCODE.br,
  OPCODE.brIf,
  OPCODE.call,
  OPCODE.localGet,
  OPCODE.localSet,
  OPCODE.localTee,
  OPCODE.globalGet,
]);

/** Reads a body; the reader ends behind it. Throws ModuleFault. */
export function readFunctionCode(body: ModuleReader, parameters: number, globalCount: number): FunctionCode {
  let locals = parameters;
  for (let left = body.count(); left > 0; left -= 1) {
    locals += body.u32();
    numberType(body);
  }
  const codeAt = body.position;
  const instructions: Instruction[] = [];
  const immediate = new ModuleReader(body.bytes);
  while (!body.done) {
    const at = body.position;
    const opcode = readInstruction(body, globalCount);
    immediate.position = at + 1;
    instructions.push({ opcode, operand: operandAt(opcode, immediate), at });
  }
  if (instructions.at(-1)?.opcode !== OPCODE.end) throw new ModuleFault('a function without an end');
  return { locals, codeAt, instructions };
}

function operandAt(opcode: number, reader: ModuleReader): number {
  if (INDEX.has(opcode)) return reader.u32();
  if (opcode === OPCODE.i32Const) return reader.s32();
  return ONE_BYTE.has(opcode) ? reader.u8() : 0;
}
