const MAGIC_AND_VERSION = 8;
const MEMORY_SECTION = 5;
const HAS_MAXIMUM = 1;

interface Leb {
  readonly value: number;
  readonly end: number;
}

/**
 * Returns the module with a maximum for its own memory: growth past `maxPages` pages of 64 KiB then fails inside the
 * instance. Go's linker sets no maximum and a host cannot watch memory while a call runs, so the module has to carry
 * the bound itself (WebAssembly core specification, 5.5.8 memory section, 5.3.8 limits).
 * Throws if `wasm` does not define exactly one memory without a maximum.
 */
export function limitMemory(wasm: Uint8Array<ArrayBuffer>, maxPages: number): Uint8Array<ArrayBuffer> {
  const section = findSection(wasm, MEMORY_SECTION);
  const [count, flags] = [wasm[section.start], wasm[section.start + 1]];
  if (count !== 1 || flags !== 0) throw new Error('the compiler module must define one memory without a maximum');
  const initial = wasm.subarray(section.start + 2, section.end);
  const body = [1, HAS_MAXIMUM, ...initial, ...leb(maxPages)];
  const head = [MEMORY_SECTION, ...leb(body.length), ...body];
  const limited = new Uint8Array(section.header + head.length + (wasm.length - section.end));
  limited.set(wasm.subarray(0, section.header));
  limited.set(head, section.header);
  limited.set(wasm.subarray(section.end), section.header + head.length);
  return limited;
}

function findSection(wasm: Uint8Array, wanted: number): { header: number; start: number; end: number } {
  let at = MAGIC_AND_VERSION;
  while (at < wasm.length) {
    const size = readLeb(wasm, at + 1);
    const end = size.end + size.value;
    if (wasm[at] === wanted) return { header: at, start: size.end, end };
    at = end;
  }
  throw new Error('the compiler module has no memory section');
}

function readLeb(bytes: Uint8Array, start: number): Leb {
  let value = 0;
  for (let i = 0; i < 5; i += 1) {
    const byte = bytes[start + i] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: start + i + 1 };
  }
  throw new Error('the compiler module is malformed');
}

function leb(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...leb(value >>> 7)];
}
