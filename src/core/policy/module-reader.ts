/** Why a module cannot be read. Thrown and caught inside this room only: `meterModule` turns it into a Result. */
export class ModuleFault extends Error {}

/**
 * A cursor over the bytes of a WebAssembly module that may be hostile: every read is checked against the end, every length
 * against what is left. Integers are LEB128 (WebAssembly core specification, 5.2.2), padded forms included.
 */
export class ModuleReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  position: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  get done(): boolean {
    return this.position >= this.end;
  }

  u8(): number {
    const byte = this.bytes[this.position];
    if (byte === undefined || this.position >= this.end) throw new ModuleFault('ends early');
    this.position += 1;
    return byte;
  }

  /** Unsigned LEB128 of at most 32 bits. */
  u32(): number {
    let value = this.u8();
    if (value < 0x80) return value;
    value -= 0x80;
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) throw new ModuleFault('integer over 32 bits');
        return value;
      }
    }
    throw new ModuleFault('integer too long');
  }

  /** Signed LEB128 of 32 bits. */
  s32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      return shift < 28 && (byte & 0x40) !== 0 ? value | (-1 << (shift + 7)) : value;
    }
    throw new ModuleFault('integer too long');
  }

  /** Passes over a LEB128 of at most `maxBytes` bytes. */
  skipLeb(maxBytes: number): void {
    for (let count = 0; count < maxBytes; count += 1) if (this.u8() < 0x80) return;
    throw new ModuleFault('integer too long');
  }

  /** A count of things that take at least one byte each, so never more than the bytes that are left. */
  count(): number {
    const count = this.u32();
    if (count > this.end - this.position) throw new ModuleFault('count exceeds the bytes there are');
    return count;
  }

  skip(length: number): void {
    if (length > this.end - this.position) throw new ModuleFault('length exceeds the bytes there are');
    this.position += length;
  }

  /** A reader over the next `length` bytes, which this one passes over. */
  slice(length: number): ModuleReader {
    const start = this.position;
    this.skip(length);
    return new ModuleReader(this.bytes, start, start + length);
  }

  /** A name: length and bytes. Bytes over 0x7f are kept as they are; names that matter here are ASCII. */
  name(): string {
    const part = this.slice(this.u32());
    if (part.end - part.position > 1024) throw new ModuleFault('name too long');
    return String.fromCharCode(...this.bytes.subarray(part.position, part.end));
  }
}

/** Unsigned LEB128 of a number below 2^32. */
export function unsignedLeb(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
  return out;
}

/** Signed LEB128 of a number in 0 … 2^31 - 1. */
export function positiveSignedLeb(value: number): number[] {
  const out = unsignedLeb(value);
  const last = out.at(-1) ?? 0;
  if ((last & 0x40) === 0) return out;
  out[out.length - 1] = last | 0x80;
  out.push(0);
  return out;
}
