/*
 * Objects whose keys a peer chooses. They are ordinary objects, because V8 leaves its quick way of writing JSON for good as soon as it meets one without
 * prototype (a typical input: 6.4 us instead of 2.0); so what every object inherits (`constructor`, `__proto__`) is told from what was put there.
 */

/** The value that was put under `name`, or undefined. */
export function ownMember<V>(object: Readonly<Record<string, V>>, name: string): V | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Puts a value under any name, `__proto__` included. */
export function putMember<V>(object: Record<string, V>, name: string, value: V): void {
  if (!(name in object) || Object.hasOwn(object, name)) object[name] = value;
  else Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}
