/** One case of OPA's suite (`v1/test/cases/cases.go`), as far as this runner reads it. */
export type Case = {
  /** Folder that the case stands in, which is one built-in or one part of the language. */
  readonly group: string;
  /** File and position in it, `units/test-parse-bytes.yaml#3`: notes are not unique. */
  readonly place: string;
  readonly note: string;
  readonly query: string;
  readonly modules: readonly string[];
  readonly data: Readonly<Record<string, unknown>>;
  readonly input: CaseInput;
  readonly wanted: Wanted;
};

/** `term` is Rego text, which may hold what JSON has not, such as sets. */
export type CaseInput =
  | { readonly kind: 'none' }
  | { readonly kind: 'object'; readonly value: Readonly<Record<string, unknown>> }
  | { readonly kind: 'term'; readonly text: string };

/**
 * What the case asks for. `rows` are sets of bindings of the query's variables. An error that is one in strict mode only leaves the query undefined
 * otherwise, and WebAssembly has no strict mode (OPA `internal/wasm/sdk/test/e2e`, `assert`).
 */
export type Wanted =
  | { readonly kind: 'rows'; readonly rows: readonly Readonly<Record<string, unknown>>[]; readonly sorted: boolean }
  | { readonly kind: 'defined'; readonly defined: boolean }
  | { readonly kind: 'strict-error' }
  | { readonly kind: 'error'; readonly code: string };
