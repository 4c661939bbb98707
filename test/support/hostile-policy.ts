import { assemble, i32 } from './wasm-assembler.ts';
import type { WasmFunction, WasmModule } from './wasm-assembler.ts';

/** Addresses of the texts in the static data of `hostilePolicy`. */
export const TEXT_AT = { entrypoints: 70_000, builtins: 70_100, allow: 70_200, own: 70_300 } as const;

/** Where its heap begins. */
export const HEAP_AT = 131_072;

export type HostilePolicy = {
  /** Instructions of functions of the ABI, by export name, instead of the harmless ones. */
  readonly code?: Readonly<Record<string, readonly number[]>>;
  /** Locals of those functions. */
  readonly locals?: Readonly<Record<string, number>>;
  /** JSON of what `entrypoints()` and `builtins()` name. */
  readonly entrypoints?: string;
  readonly builtins?: string;
  /** A NUL-terminated text of one's own at `TEXT_AT.own`. */
  readonly text?: string;
  readonly minor?: number;
  /** Leaves an export out. */
  readonly without?: string;
  /** Instructions of a start function. */
  readonly startCode?: readonly number[];
};

/** Imported functions in the order of their indexes: 0 is `opa_abort`, 1 to 5 are `opa_builtin0` to `opa_builtin4`. */
const IMPORTS: NonNullable<WasmModule['imports']> = [
  ['env', 'opa_abort', 1, 0],
  ...[0, 1, 2, 3, 4].map((arity) => ['env', `opa_builtin${arity}`, arity + 2, 1] as const),
];

/** A module with OPA's ABI and nothing behind it: it answers true, and does what `code` says instead where that is given. */
export function hostilePolicy(policy: HostilePolicy): Uint8Array<ArrayBuffer> {
  const entry = (name: string, params: number, results: number, code: readonly number[]): WasmFunction => ({
    ...(policy.without === name ? {} : { name }),
    params,
    results,
    code: policy.code?.[name] ?? code,
    locals: policy.locals?.[name] ?? 0,
  });
  const first = [0x20, 0];
  return assemble({
    imports: IMPORTS,
    functions: [
      entry('entrypoints', 0, 1, i32(TEXT_AT.entrypoints)),
      entry('builtins', 0, 1, i32(TEXT_AT.builtins)),
      entry('opa_malloc', 1, 1, i32(HEAP_AT + 65_536)),
      entry('opa_heap_ptr_get', 0, 1, [0x23, 3]),
      entry('opa_heap_ptr_set', 1, 0, [0x20, 0, 0x24, 3]),
      entry('opa_json_dump', 1, 1, first),
      entry('opa_value_dump', 1, 1, first),
      entry('opa_value_parse', 2, 1, i32(1)),
      entry('opa_json_parse', 2, 1, i32(1)),
      entry('opa_eval', 7, 1, i32(TEXT_AT.allow)),
      { code: policy.startCode ?? [] },
    ],
    globals: [65_536, 1, policy.minor ?? 3, HEAP_AT],
    exportedGlobals: { opa_wasm_abi_version: 1, opa_wasm_abi_minor_version: 2 },
    data: {
      [TEXT_AT.entrypoints]: `${policy.entrypoints ?? '{"t/d":0}'}\0`,
      [TEXT_AT.builtins]: `${policy.builtins ?? '{}'}\0`,
      [TEXT_AT.allow]: '{{"result": true}}\0',
      [TEXT_AT.own]: `${policy.text ?? ''}\0`,
    },
    ...(policy.startCode === undefined ? {} : { start: IMPORTS.length + 10 }),
  });
}
