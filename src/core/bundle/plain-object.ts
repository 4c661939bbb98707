/** An object of JSON; not an array, and not a number kept as digits (`JSON.rawJSON` makes those frozen objects without prototype). */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
