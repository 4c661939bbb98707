import { leb, moduleOf, section } from './wasm-module.ts';

/**
 * A tiny WebAssembly assembler, for modules that no compiler would make: hostile ones, broken ones, ones whose steps can be counted by hand.
 * All values are i32. Code is given as bytes.
 */
export type WasmFunction = {
  readonly name?: string;
  readonly params?: number;
  readonly results?: number;
  readonly locals?: number;
  /** Instructions without the final `end`. */
  readonly code: readonly number[];
};

export type WasmModule = {
  /** Imported functions, `[module, name, parameters, results]`; they come first in the index space. */
  readonly imports?: readonly (readonly [string, string, number, number])[];
  readonly memoryImport?: readonly number[] | false;
  readonly functions: readonly WasmFunction[];
  /** Initial values of mutable globals; global 0 is the stack pointer. */
  readonly globals?: readonly number[];
  readonly exportedGlobals?: Readonly<Record<string, number>>;
  readonly start?: number;
  /** Data segments by address. */
  readonly data?: Readonly<Record<number, string>>;
  /** Whole sections put in as they are, by id. */
  readonly sections?: Readonly<Record<number, readonly number[]>>;
};

/** `i32.const value`, by signed LEB128. */
export function i32(value: number): number[] {
  const out = [0x41];
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) return [...out, byte];
    out.push(byte | 0x80);
  }
}

/** Writes the module. */
export function assemble(module: WasmModule): Uint8Array<ArrayBuffer> {
  const imports = module.imports ?? [];
  const types = [
    ...imports.map(([, , params, results]) => signature(params, results)),
    ...module.functions.map(functionType),
  ];
  const memory =
    module.memoryImport === false ? [] : [[...text('env'), ...text('memory'), 2, ...(module.memoryImport ?? [0, 2])]];
  const importRows = imports.map(([from, name], index) => [...text(from), ...text(name), 0, ...leb(index)]);
  const globals = (module.globals ?? [65_536]).map((value) => [0x7f, 1, ...i32(value), 0x0b]);
  const exported = module.functions.flatMap((fn, index) =>
    fn.name === undefined ? [] : [[...text(fn.name), 0, ...leb(imports.length + index)]],
  );
  const exportedGlobals = Object.entries(module.exportedGlobals ?? {}).map(([name, index]) => [
    ...text(name),
    3,
    ...leb(index),
  ]);
  const data = Object.entries(module.data ?? {}).map(([at, content]) => [
    0,
    ...i32(Number(at)),
    0x0b,
    ...text(content),
  ]);
  const sections: Record<number, number[]> = {
    1: vector(types),
    2: vector([...importRows, ...memory]),
    3: vector(module.functions.map((_, index) => leb(imports.length + index))),
    6: vector(globals),
    7: vector([...exported, ...exportedGlobals]),
    10: vector(module.functions.map(body)),
  };
  if (module.start !== undefined) sections[8] = leb(module.start);
  if (data.length > 0) sections[11] = vector(data);
  for (const [id, content] of Object.entries(module.sections ?? {})) sections[Number(id)] = [...content];
  return moduleOf(...Object.entries(sections).map(([id, content]) => section(Number(id), content)));
}

function functionType(fn: WasmFunction): number[] {
  return signature(fn.params ?? 0, fn.results ?? 0);
}

function signature(params: number, results: number): number[] {
  return [0x60, ...numberTypes(params), ...numberTypes(results)];
}

function numberTypes(count: number): number[] {
  return [...leb(count), ...Array.from({ length: count }, () => 0x7f)];
}

function body(fn: WasmFunction): number[] {
  const locals = (fn.locals ?? 0) > 0 ? [1, ...leb(fn.locals ?? 0), 0x7f] : [0];
  const content = [...locals, ...fn.code, 0x0b];
  return [...leb(content.length), ...content];
}

function vector(rows: readonly (readonly number[])[]): number[] {
  return [...leb(rows.length), ...rows.flat()];
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...leb(bytes.length), ...bytes];
}
