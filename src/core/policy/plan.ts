/**
 * OPA's intermediate representation (`plan.json`, OPA documentation "IR"), as far as read analysis needs it. The plan comes out of the same compiler
 * run as `policy.wasm`; nothing here executes it.
 */

/** An operand of a statement. Locals are numbered per function; 0 is `input`, 1 is `data`. */
export type Operand =
  | { readonly kind: 'local'; readonly local: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bool' };

/** One statement: its type and its raw fields, read through the helpers below. */
export type Statement = { readonly type: string; readonly fields: Readonly<Record<string, unknown>> };
export type Block = readonly Statement[];

/** A planned rule or function. `path` is where it stands, for dynamic calls. */
export type PlannedFunction = {
  readonly name: string;
  readonly params: readonly number[];
  readonly returns: number;
  readonly blocks: readonly Block[];
  readonly path: readonly string[];
};

export type Plan = {
  readonly strings: readonly string[];
  /** Blocks of each entrypoint, by name (`sallyport/authz/decision`). */
  readonly entrypoints: ReadonlyMap<string, readonly Block[]>;
  readonly functions: ReadonlyMap<string, PlannedFunction>;
};

type Json = Readonly<Record<string, unknown>>;

/** Reads a plan. Undefined when it has not the shape this version knows: then nothing may be concluded from it. */
export function readPlan(raw: unknown): Plan | undefined {
  try {
    const plan = object(raw);
    const strings = list(object(plan['static'])['strings'] ?? []).map((one) => text(object(one)['value']));
    const entrypoints = list(object(plan['plans'])['plans']).map((one) => {
      const entry = object(one);
      return [text(entry['name']), blocks(entry['blocks'])] as const;
    });
    const functions = list(object(plan['funcs'] ?? {})['funcs'] ?? []).map(planned);
    return { strings, entrypoints: new Map(entrypoints), functions: new Map(functions.map((one) => [one.name, one])) };
  } catch (error) {
    if (error instanceof PlanShapeError) return undefined;
    throw error;
  }
}

/** Thrown inside this room only: the plan has a shape that we do not know. */
export class PlanShapeError extends Error {}

function planned(raw: unknown): PlannedFunction {
  const fields = object(raw);
  return {
    name: text(fields['name']),
    params: list(fields['params']).map(number),
    returns: number(fields['return']),
    blocks: blocks(fields['blocks']),
    path: list(fields['path'] ?? []).map(text),
  };
}

/** Blocks, as in a plan, a function or a BlockStmt. */
export function blocks(raw: unknown): readonly Block[] {
  return list(raw ?? []).map(block);
}

/** One block, as in NotStmt, ScanStmt and WithStmt. */
export function block(raw: unknown): Block {
  return list(object(raw)['stmts'] ?? []).map((one) => {
    const { type, stmt } = object(one);
    return { type: text(type), fields: object(stmt) };
  });
}

/** Reads an operand: `{type: local | string_index | bool, value}`. */
export function operand(raw: unknown, strings: readonly string[]): Operand {
  const { type, value } = object(raw);
  if (type === 'local') return { kind: 'local', local: number(value) };
  if (type === 'bool') return { kind: 'bool' };
  const found = type === 'string_index' ? strings[number(value)] : undefined;
  if (found === undefined) throw new PlanShapeError(`unknown operand type ${String(type)}`);
  return { kind: 'string', value: found };
}

/** A list of operands; null is none (OPA writes `"args": null`). */
export function operands(raw: unknown, strings: readonly string[]): readonly Operand[] {
  return list(raw ?? []).map((one) => operand(one, strings));
}

export function number(raw: unknown): number {
  if (typeof raw !== 'number' || !Number.isSafeInteger(raw)) throw new PlanShapeError('a number was expected');
  return raw;
}

export function text(raw: unknown): string {
  if (typeof raw !== 'string') throw new PlanShapeError('a string was expected');
  return raw;
}

export function list(raw: unknown): readonly unknown[] {
  if (!Array.isArray(raw)) throw new PlanShapeError('a list was expected');
  return raw;
}

function object(raw: unknown): Json {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw new PlanShapeError('an object was expected');
  return raw as Json;
}
