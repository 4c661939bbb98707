/** A JSON object as it was read; numbers beyond a double are in it with all digits: write it with `JSON.stringify` only. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What Rego declares, by the compiler's own reading. References are in OPA's notation: `data.a["b c"].d`. */
export type Declarations = {
  readonly packages: readonly { readonly path: string; readonly files: readonly string[] }[];
  /** With the package; keys that only evaluation knows are left off. */
  readonly rules: readonly { readonly path: string; readonly file: string; readonly row: number }[];
};

/** What one owner brings. `declares` is about `rego`, with the same paths. */
export type PolicyPart = {
  /** Rego by path. */
  readonly rego: ReadonlyMap<string, string>;
  readonly data: JsonObject;
  readonly declares: Declarations;
};

/** True for a JSON object; a number that is kept with its digits is none. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** A place below `data` as people write it. */
export function shownPath(path: readonly string[]): string {
  return ['data', ...path].join('.');
}
