import { ModuleFault } from './module-reader.ts';
import type { ModuleReader } from './module-reader.ts';

export const OPCODE = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Const: 0x41,
  i32Eqz: 0x45,
  i32Ne: 0x47,
  i32And: 0x71,
  i32Xor: 0x73,
} as const;

/** The type of a block that leaves nothing behind. */
export const NO_RESULT = 0x40;

/** Divisions, remainders and square roots take 10 to 40 times as long as an addition. */
const SLOW_STEPS = 16;
const SLOW = new Set([0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82, 0x91, 0x95, 0x9f, 0xa3]);

/** Steps that each opcode counts for, by opcode. */
export const STEPS: Readonly<Uint8Array> = Uint8Array.from({ length: 256 }, (_, opcode) =>
  SLOW.has(opcode) ? SLOW_STEPS : 1,
);

const BLOCK_TYPES = new Set([0x40, 0x7f, 0x7e, 0x7d, 0x7c]);

/**
 * Reads one instruction of the WebAssembly MVP (core specification 5.4), immediates included, and gives its opcode. Anything newer is refused: what is not
 * known here cannot be priced (`memory.fill` moves megabytes in one instruction). OPA's compiler emits the MVP only.
 * A global index of `globalCount` or more is refused, since after metering it would name the budget.
 */
export function readInstruction(reader: ModuleReader, globalCount: number): number {
  const opcode = reader.u8();
  if (opcode >= 0x45 && opcode <= 0xbf) return opcode; // comparisons, arithmetic, conversions
  if (opcode >= 0x28 && opcode <= 0x3e) {
    reader.u32(); // loads and stores: alignment and offset
    reader.u32();
    return opcode;
  }
  skipImmediates(opcode, reader, globalCount);
  return opcode;
}

function skipImmediates(opcode: number, reader: ModuleReader, globalCount: number): void {
  switch (opcode) {
    case 0x00: // unreachable
    case 0x01: // nop
    case 0x05: // else
    case 0x0b: // end
    case 0x0f: // return
    case 0x1a: // drop
    case 0x1b: // select
      return;
    case 0x02: // block
    case 0x03: // loop
    case 0x04: // if
      if (!BLOCK_TYPES.has(reader.u8())) throw new ModuleFault('a block type is newer than the MVP');
      return;
    case 0x0c: // br
    case 0x0d: // br_if
    case 0x10: // call
    case 0x20: // local.get
    case 0x21: // local.set
    case 0x22: // local.tee
      reader.u32();
      return;
    case 0x0e: // br_table
      for (let left = reader.count(); left >= 0; left -= 1) reader.u32();
      return;
    case 0x11: // call_indirect
      reader.u32();
      zero(reader);
      return;
    case 0x23: // global.get
    case 0x24: // global.set
      if (reader.u32() >= globalCount) throw new ModuleFault('uses a global that does not exist');
      return;
    case 0x3f: // memory.size
    case 0x40: // memory.grow
      zero(reader);
      return;
    case 0x41: // i32.const
      reader.skipLeb(5);
      return;
    case 0x42: // i64.const
      reader.skipLeb(10);
      return;
    case 0x43: // f32.const
      reader.skip(4);
      return;
    case 0x44: // f64.const
      reader.skip(8);
      return;
    default:
      throw new ModuleFault(`instruction 0x${opcode.toString(16)} is newer than the MVP`);
  }
}

function zero(reader: ModuleReader): void {
  if (reader.u8() !== 0) throw new ModuleFault('an index that must be zero is not');
}
