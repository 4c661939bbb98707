import { concat } from '../kernel/bytes.ts';
import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { meterFunction } from './meter-function.ts';
import { SECTION, readLayout } from './module-layout.ts';
import type { ModuleLayout } from './module-layout.ts';
import { ModuleFault, positiveSignedLeb, unsignedLeb } from './module-reader.ts';
import type { ModuleReader } from './module-reader.ts';

/** Exported mutable i32: steps left. Set it before a call; below zero the module traps (`unreachable`). */
export const BUDGET_EXPORT = 'sallyport:budget';
/** Exported mutable i32: the stack pointer, which nothing restores after a throw. Set it before a call. */
export const STACK_EXPORT = 'sallyport:stack';
/** Largest budget: the counter is an i32. About 40 ms of ordinary policy code. */
export const MAX_BUDGET = 0x7fff_ffff;

/** Largest module read, bytes. OPA's runtime is 130 KB, or 330 KB with regular expressions; 2,000 rules add 450 KB. */
export const MAX_MODULE_BYTES = 8 * 1024 * 1024;
/** Most functions and loops. A policy of 2,000 rules has 5,000. */
const MAX_CHARGES = 100_000;

/**
 * Rewrites a policy module so that evaluation stops after a number of steps. Deterministic: the same module and input cost the same on every machine.
 * The code is otherwise kept byte for byte; custom sections are dropped. Never throws: a module that is malformed, newer than the MVP or
 * no OPA policy is refused with the reason.
 */
export function meterModule(bytes: Uint8Array): Result<Uint8Array<ArrayBuffer>, string> {
  if (bytes.length > MAX_MODULE_BYTES) return err(`larger than ${MAX_MODULE_BYTES} bytes`);
  try {
    const metered = rewrite(readLayout(bytes), bytes.subarray(0, 8));
    // Valid as delivered, too: what metering adds (a global, its exports) must not be what makes a module valid.
    return WebAssembly.validate(Uint8Array.from(bytes)) ? ok(metered) : err('not a valid WebAssembly module');
  } catch (problem) {
    if (problem instanceof ModuleFault) return err(problem.message);
    throw problem;
  }
}

function rewrite(layout: ModuleLayout, header: Uint8Array): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [header];
  for (const { id, content } of layout.sections) {
    const chunks = rewriteSection(id, content, layout);
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    parts.push(Uint8Array.of(id, ...unsignedLeb(length)), ...chunks);
  }
  return concat(parts);
}

function rewriteSection(id: number, content: ModuleReader, layout: ModuleLayout): Uint8Array[] {
  switch (id) {
    case SECTION.global:
      return append(content, [0x7f, 0x01, 0x41, ...positiveSignedLeb(MAX_BUDGET), 0x0b], 1);
    case SECTION.export: {
      const budget = [...name(BUDGET_EXPORT), 0x03, ...unsignedLeb(layout.globalCount)];
      return append(content, [...budget, ...name(STACK_EXPORT), 0x03, 0x00], 2);
    }
    case SECTION.code:
      return meterCode(content, layout);
    default:
      return [content.bytes.subarray(content.position, content.end)];
  }
}

/** A vector with `added` more elements at its end. */
export function append(content: ModuleReader, elements: readonly number[], added: number): Uint8Array[] {
  const count = content.count();
  const rest = content.bytes.subarray(content.position, content.end);
  return [Uint8Array.from(unsignedLeb(count + added)), rest, Uint8Array.from(elements)];
}

function name(text: string): number[] {
  return [text.length, ...Array.from(text, (char) => char.charCodeAt(0))];
}

function meterCode(content: ModuleReader, layout: ModuleLayout): Uint8Array[] {
  const count = content.count();
  if (count !== layout.parameters.length) throw new ModuleFault('functions and bodies differ in number');
  const parts: Uint8Array[] = [Uint8Array.from(unsignedLeb(count))];
  let left = MAX_CHARGES;
  for (const parameters of layout.parameters) {
    const body = content.slice(content.u32());
    const metered = meterFunction(body, parameters, layout.globalCount, left);
    left -= metered.charges;
    parts.push(Uint8Array.from(unsignedLeb(metered.code.length)), metered.code);
  }
  if (!content.done) throw new ModuleFault('bytes after the last function');
  return parts;
}
