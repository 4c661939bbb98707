import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { functionNames } from './function-names.ts';
import { SECTION, readLayout } from './module-layout.ts';
import { ModuleFault, ModuleReader, positiveSignedLeb, unsignedLeb } from './module-reader.ts';

/** Ids under which a profiled module calls `opa_builtin0`: no built-in has them, and the context argument is the number of the rule. */
export const RULE_ENTERED = 0x7fff_0001;
export const RULE_LEFT = 0x7fff_0002;

/** A module that tells when it enters and leaves a rule. */
export type ProfiledModule = {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** Rules by the number that the calls carry, as `data.package.rule`. Variants under `with` have the same name. */
  readonly rules: readonly string[];
  /** Steps of telling, by number: a metered module charges them at each call, before it tells that the rule is entered. */
  readonly overhead: readonly number[];
};

/** A function that OPA's planner made of a rule: `g0.data.a.rule`; the number counts variants, where `with` replaces something. */
const PLANNED = /^g\d+\.(data\..+)$/;
const TELL = 'opa_builtin0';
const CALL = 0x10;
const DROP = 0x1a;
const LOCAL_GET = 0x20;
const I32_CONST = 0x41;
const END = 0x0b;

/** A rule's function: its index, that of its type, and its number of parameters. */
type Planned = {
  readonly rule: string;
  readonly index: number;
  readonly type: number;
  readonly parameters: number;
};

/** What wrapping needs to know of the module: how many functions are imported, how many there are, and which one tells. */
type Functions = { readonly imported: number; readonly total: number; readonly tell: number };

/**
 * Rewrites a policy module so that each rule's function tells its host when it is entered and left; meter it afterwards. Each function keeps its index
 * and becomes a wrapper of its former self, which moves to the end, so that no call has to be changed. For authors only, never for decisions.
 */
export function profileModule(bytes: Uint8Array): Result<ProfiledModule, string> {
  try {
    return ok(rewrite(bytes));
  } catch (problem) {
    if (problem instanceof ModuleFault) return err(problem.message);
    throw problem;
  }
}

function rewrite(bytes: Uint8Array): ProfiledModule {
  const { sections, parameters } = readLayout(bytes);
  const read = (wanted: number): ModuleReader => {
    const content = sections.find(({ id }) => id === wanted)?.content;
    return content === undefined ? new ModuleReader(Uint8Array.of(0)) : again(content);
  };
  const imports = readImports(read(SECTION.import));
  const functions: Functions = { ...imports, total: imports.imported + parameters.length };
  const planned = plannedFunctions(
    functionNames(bytes),
    readTypes(read(SECTION.function)),
    parameters,
    imports.imported,
  );
  const out: number[] = [...bytes.subarray(0, 8)];
  for (const { id, content } of sections) {
    const rewritten =
      id === SECTION.function
        ? moreFunctions(content, planned)
        : id === SECTION.code
          ? wrappedCode(content, planned, functions)
          : [content.bytes.subarray(content.position, content.end)];
    push(out, [Uint8Array.of(id, ...unsignedLeb(lengthOf(rewritten))), ...rewritten]);
  }
  return {
    wasm: Uint8Array.from(out),
    rules: planned.map(({ rule }) => rule),
    overhead: planned.map((one) => wrapperSteps(one.parameters)),
  };
}

function again(reader: ModuleReader): ModuleReader {
  return new ModuleReader(reader.bytes, reader.position, reader.end);
}

/** Only functions and the memory are imported, as `readLayout` has seen to. */
function readImports(reader: ModuleReader): { imported: number; tell: number } {
  let imported = 0;
  let tell = -1;
  for (let left = reader.count(); left > 0; left -= 1) {
    reader.name();
    const name = reader.name();
    if (reader.u8() === 0) {
      reader.u32();
      if (name === TELL) tell = imported;
      imported += 1;
    } else if (reader.u8() === 1) {
      reader.u32();
      reader.u32();
    } else reader.u32();
  }
  if (tell < 0) throw new ModuleFault(`does not import ${TELL}`);
  return { imported, tell };
}

function readTypes(reader: ModuleReader): number[] {
  return Array.from({ length: reader.count() }, () => reader.u32());
}

function plannedFunctions(
  names: ReadonlyMap<number, string>,
  types: readonly number[],
  parameters: readonly number[],
  imported: number,
): readonly Planned[] {
  return [...names].flatMap(([index, name]) => {
    const rule = PLANNED.exec(name)?.[1];
    const type = types[index - imported];
    if (rule === undefined || type === undefined) return [];
    return [{ rule, index, type, parameters: parameters[index - imported] ?? 0 }];
  });
}

/** One more function for each rule, of the same type. */
function moreFunctions(content: ModuleReader, planned: readonly Planned[]): Uint8Array[] {
  const reader = again(content);
  const count = reader.count();
  const rest = reader.bytes.subarray(reader.position, reader.end);
  const added = planned.flatMap(({ type }) => unsignedLeb(type));
  return [Uint8Array.from(unsignedLeb(count + planned.length)), rest, Uint8Array.from(added)];
}

/** The wrapper where the rule's function was, the function itself at the end. */
function wrappedCode(content: ModuleReader, planned: readonly Planned[], functions: Functions): Uint8Array[] {
  const reader = again(content);
  const bodies = Array.from({ length: reader.count() }, () => {
    const body = reader.slice(reader.u32());
    return body.bytes.subarray(body.position, body.end);
  });
  const moved: Uint8Array[] = [];
  planned.forEach((one, number) => {
    const at = one.index - functions.imported;
    moved.push(bodies[at] ?? Uint8Array.of());
    bodies[at] = wrapper(one.parameters, number, functions.total + number, functions.tell);
  });
  const all = [...bodies, ...moved];
  const framed = all.flatMap((body) => [Uint8Array.from(unsignedLeb(body.length)), body]);
  return [Uint8Array.from(unsignedLeb(all.length)), ...framed];
}

/** `tell(entered, n); result = original(…); tell(left, n); return result` without locals of its own. */
function wrapper(parameters: number, number: number, original: number, tell: number): Uint8Array {
  const told = (id: number): number[] => [
    I32_CONST,
    ...positiveSignedLeb(id),
    I32_CONST,
    ...positiveSignedLeb(number),
    CALL,
    ...unsignedLeb(tell),
    DROP,
  ];
  const args = Array.from({ length: parameters }, (_, local) => [LOCAL_GET, ...unsignedLeb(local)]).flat();
  const call = [CALL, ...unsignedLeb(original)];
  return Uint8Array.from([0, ...told(RULE_ENTERED), ...args, ...call, ...told(RULE_LEFT), END]);
}

/** What the meter charges for a wrapper: its instructions, and clearing its parameters (`meter-function.ts`). */
function wrapperSteps(parameters: number): number {
  return 4 + parameters + 1 + 4 + 1 + Math.ceil(parameters / 8);
}

function lengthOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

function push(out: number[], chunks: readonly Uint8Array[]): void {
  for (const chunk of chunks) for (const byte of chunk) out.push(byte);
}
