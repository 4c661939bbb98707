import { OPCODE, STEPS, readInstruction } from './instruction.ts';
import { ModuleFault, positiveSignedLeb, unsignedLeb } from './module-reader.ts';
import type { ModuleReader } from './module-reader.ts';
import { numberType } from './module-layout.ts';

/** Where a charge goes and what it is: the steps of a function or loop body outside inner loops. */
type Charge = { readonly at: number; steps: number };

/** A rewritten body, and how many charges it has. */
export type MeteredFunction = { readonly code: Uint8Array; readonly charges: number };

const MAX_STEPS = 0x0fff_ffff;
/** What engines take (WebAssembly JavaScript interface, "Implementation-defined limits"); groups are one for each type in practice. */
const MAX_LOCALS = 50_000;
const MAX_LOCAL_GROUPS = 1_000;
/** Entering a function clears its locals; eight of them cost about what one instruction does. */
const LOCALS_PER_STEP = 8;

/**
 * Rewrites one function body so that it pays for itself: at its start, and at the start of each turn of each loop, it subtracts the number of instructions of
 * that body from the budget and traps when the budget is below zero. Branches not taken are paid as well, which keeps the code small: one charge a body,
 * not one a basic block.
 */
export function meterFunction(
  body: ModuleReader,
  parameters: number,
  globalCount: number,
  maxCharges: number,
): MeteredFunction {
  const start = body.position;
  const groups = body.count();
  if (groups > MAX_LOCAL_GROUPS) throw new ModuleFault('too many groups of locals');
  const groupsAt = body.position;
  let locals = parameters;
  for (let left = groups; left > 0; left -= 1) {
    locals += body.u32();
    numberType(body);
  }
  if (locals > MAX_LOCALS) throw new ModuleFault('too many locals');
  const codeAt = body.position;
  const charges = findCharges(body, Math.ceil(locals / LOCALS_PER_STEP), globalCount);
  if (charges.length > maxCharges) throw new ModuleFault('too many functions and loops');
  const header = [...unsignedLeb(groups + 1), ...body.bytes.subarray(groupsAt, codeAt), 1, 0x7f];
  const source = body.bytes.subarray(start, body.end);
  const code = assemble(source, header, codeAt - start, charges, (steps) => chargeCode(steps, globalCount, locals));
  return { code, charges: charges.length };
}

/** Reads the instructions once; positions are relative to the start of the body. */
function findCharges(body: ModuleReader, entrySteps: number, globalCount: number): Charge[] {
  const base = body.position;
  const own: Charge = { at: 0, steps: entrySteps };
  const charges = [own];
  const open: Charge[] = [own];
  let current = own;
  while (open.length > 0) {
    const opcode = readInstruction(body, globalCount);
    current.steps = Math.min(current.steps + (STEPS[opcode] ?? 1), MAX_STEPS);
    if (opcode === OPCODE.loop) {
      current = { at: body.position - base, steps: 0 };
      charges.push(current);
      open.push(current);
    } else if (opcode === OPCODE.block || opcode === OPCODE.if) {
      open.push(current);
    } else if (opcode === OPCODE.end) {
      open.pop();
      current = open.at(-1) ?? own;
    }
  }
  if (!body.done) throw new ModuleFault('bytes after the end of a function');
  return charges;
}

/** `budget -= steps; if (budget < 0) trap`, through the extra local. */
function chargeCode(steps: number, budgetGlobal: number, local: number): number[] {
  const budget = unsignedLeb(budgetGlobal);
  const scratch = unsignedLeb(local);
  const subtract = [0x23, ...budget, 0x41, ...positiveSignedLeb(steps), 0x6b, 0x22, ...scratch, 0x24, ...budget];
  return [...subtract, 0x20, ...scratch, 0x41, 0x00, 0x48, 0x04, 0x40, 0x00, 0x0b];
}

function assemble(
  source: Uint8Array,
  header: readonly number[],
  codeAt: number,
  charges: readonly Charge[],
  encode: (steps: number) => number[],
): Uint8Array {
  const inserts = charges.map((charge) => ({ at: codeAt + charge.at, code: encode(charge.steps) }));
  const added = inserts.reduce((sum, insert) => sum + insert.code.length, 0);
  const out = new Uint8Array(header.length + (source.length - codeAt) + added);
  out.set(header, 0);
  let to = header.length;
  let from = codeAt;
  for (const insert of inserts) {
    out.set(source.subarray(from, insert.at), to);
    to += insert.at - from;
    out.set(insert.code, to);
    to += insert.code.length;
    from = insert.at;
  }
  out.set(source.subarray(from), to);
  return out;
}
