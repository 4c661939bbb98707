/** Unsigned LEB128, as WebAssembly writes counts and sizes. */
export function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

/** One section of a module: its id and its body with the size in front. */
export function section(id: number, body: readonly number[]): number[] {
  return [id, ...leb(body.length), ...body];
}

/** A module of the given sections, in the order that the specification wants. */
export function moduleOf(...sections: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]);
}

/** Sections that import functions without parameters and results: `[module, name]` each. */
export function importing(functions: readonly (readonly [string, string])[]): readonly number[][] {
  const entries = functions.flatMap(([from, name]) => [...text(from), ...text(name), 0, 0]);
  return [section(1, [1, 0x60, 0, 0]), section(2, [...leb(functions.length), ...entries])];
}

function text(value: string): number[] {
  const bytes = Buffer.from(value);
  return [...leb(bytes.length), ...bytes];
}
