import { ModuleFault, ModuleReader } from './module-reader.ts';

/** Section ids of the WebAssembly binary format (core specification 5.5.2). */
export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
} as const;

/** What has to be known of a module to meter it. Readers stand at the start of the section's content. */
export type ModuleLayout = {
  /** All sections but custom ones, in order. */
  readonly sections: readonly { readonly id: number; readonly content: ModuleReader }[];
  /** Parameter count of each function that has code, in order. */
  readonly parameters: readonly number[];
  readonly globalCount: number;
  /** Imported functions, which have the lowest indexes. */
  readonly importedFunctions: number;
};

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const NUMBER_TYPES = new Set([0x7f, 0x7e, 0x7d, 0x7c]);
/** All that OPA's compiler imports. `opa_println` is left out: only debug builds of its runtime use it, and it would write where records go. */
const FUNCTION_IMPORTS = new Set(['opa_abort', ...[0, 1, 2, 3, 4].map((arity) => `opa_builtin${arity}`)]);
const MAX_TABLE = 65_536;

/** Reads the outline of a policy module and refuses what an OPA policy never has: other imports, own memory, large tables, a known section out of order. */
export function readLayout(bytes: Uint8Array): ModuleLayout {
  const reader = new ModuleReader(bytes);
  for (const byte of HEADER) if (reader.u8() !== byte) throw new ModuleFault('not a WebAssembly module of version 1');
  const sections: { id: number; content: ModuleReader }[] = [];
  let last: number = SECTION.custom;
  while (!reader.done) {
    const id = reader.u8();
    const content = reader.slice(reader.u32());
    if (id === SECTION.custom) continue;
    if (id <= last || id > SECTION.data) throw new ModuleFault(`section ${id} is unknown or out of order`);
    last = id;
    sections.push({ id, content });
  }
  const find = (id: number): ModuleReader => copy(sections.find((section) => section.id === id)?.content);
  const importedFunctions = checkImports(find(SECTION.import));
  checkTables(find(SECTION.table));
  if (count(find(SECTION.memory)) > 0) throw new ModuleFault('the module has a memory of its own');
  const types = readTypes(find(SECTION.type));
  const globalCount = readGlobals(find(SECTION.global));
  checkExports(find(SECTION.export), globalCount);
  return { sections, parameters: readFunctions(find(SECTION.function), types), globalCount, importedFunctions };
}

function copy(reader: ModuleReader | undefined): ModuleReader {
  if (reader === undefined) return new ModuleReader(Uint8Array.of(0));
  return new ModuleReader(reader.bytes, reader.position, reader.end);
}

function count(reader: ModuleReader): number {
  return reader.count();
}

/** Parameter counts of the function types; only number types pass. */
function readTypes(reader: ModuleReader): number[] {
  const types: number[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    if (reader.u8() !== 0x60) throw new ModuleFault('a type is no function type');
    types.push(skipValueTypes(reader));
    skipValueTypes(reader);
  }
  return types;
}

function skipValueTypes(reader: ModuleReader): number {
  const count = reader.count();
  for (let left = count; left > 0; left -= 1) numberType(reader);
  return count;
}

/** Passes over one value type, which must be i32, i64, f32 or f64. */
export function numberType(reader: ModuleReader): void {
  if (!NUMBER_TYPES.has(reader.u8())) throw new ModuleFault('a value type is no number type');
}

/** Refuses imports that are not part of the ABI; the number of functions among them. */
function checkImports(reader: ModuleReader): number {
  let memories = 0;
  let functions = 0;
  for (let left = reader.count(); left > 0; left -= 1) {
    const module = reader.name();
    const name = reader.name();
    const kind = reader.u8();
    if (module === 'env' && kind === 0 && FUNCTION_IMPORTS.has(name)) {
      reader.u32();
      functions += 1;
    } else if (module === 'env' && kind === 2 && name === 'memory') {
      memories += 1;
      skipLimits(reader);
    } else throw new ModuleFault(`imports ${module}.${name}, which is not part of the policy ABI`);
  }
  if (memories !== 1) throw new ModuleFault('does not import env.memory');
  return functions;
}

function skipLimits(reader: ModuleReader): number {
  const flags = reader.u8();
  if (flags > 1) throw new ModuleFault('limits of an unknown kind');
  const least = reader.u32();
  if (flags === 1) reader.u32();
  return least;
}

function checkTables(reader: ModuleReader): void {
  const tables = reader.count();
  if (tables > 1) throw new ModuleFault('more than one table');
  if (tables === 0) return;
  if (reader.u8() !== 0x70) throw new ModuleFault('a table of an unknown kind');
  if (skipLimits(reader) > MAX_TABLE) throw new ModuleFault('the table is too large');
}

/** Counts the globals. Global 0 must be the mutable i32 that the compiler uses as stack pointer. */
function readGlobals(reader: ModuleReader): number {
  const count = reader.count();
  for (let index = 0; index < count; index += 1) {
    const type = reader.u8();
    const mutable = reader.u8();
    if (index === 0 && (type !== 0x7f || mutable !== 1)) throw new ModuleFault('global 0 is no stack pointer');
    skipConstant(reader);
  }
  if (count === 0) throw new ModuleFault('global 0 is no stack pointer');
  return count;
}

/** Passes over a constant expression of MVP: one constant (no global can be read, since none is imported) and `end`. */
function skipConstant(reader: ModuleReader): void {
  const opcode = reader.u8();
  if (opcode === 0x41) reader.skipLeb(5);
  else if (opcode === 0x42) reader.skipLeb(10);
  else if (opcode === 0x43) reader.skip(4);
  else if (opcode === 0x44) reader.skip(8);
  else throw new ModuleFault('a global is not initialised by a constant');
  if (reader.u8() !== 0x0b) throw new ModuleFault('a global is not initialised by a constant');
}

/** A module that exports a global it does not have would, after metering, export the budget. */
function checkExports(reader: ModuleReader, globalCount: number): void {
  for (let left = reader.count(); left > 0; left -= 1) {
    reader.name();
    const kind = reader.u8();
    const index = reader.u32();
    if (kind === 3 && index >= globalCount) throw new ModuleFault('exports a global that does not exist');
  }
}

function readFunctions(reader: ModuleReader, types: readonly number[]): number[] {
  const parameters: number[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    const type = types[reader.u32()];
    if (type === undefined) throw new ModuleFault('a function has no type');
    parameters.push(type);
  }
  return parameters;
}
