/** The outcome of something that may fail for reasons outside this program: a value or an error, never a throw. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

/** Wraps a value as success. */
export function ok<T>(value: T): Result<T, never> {
  return { ok: true, value };
}

/** Wraps an error as failure. */
export function err<E>(error: E): Result<never, E> {
  return { ok: false, error };
}
