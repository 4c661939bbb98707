/**
 * Edits of JSON values that leave the value as it was: containers on the way are copied, the rest is shared.
 * Records are made from values that policy, cache and forwarder still hold, so nothing may be changed in place.
 */

/** One step of a path: the spellings under which a member may be found, the first being the one to create. Arrays take decimal indexes. */
export type Step = { readonly names: readonly [string, ...string[]] };

/** An edit's result: undefined where the path does not lead anywhere. */
export type Edited = { readonly value: unknown } | undefined;

/** Removes what the path leads to; from an array, the elements after it move up (as OPA does). */
export function removeAt(node: unknown, path: readonly Step[]): Edited {
  return edit(node, path, 'remove', undefined);
}

/** Sets what the path leads to. Objects that are missing on the way are made; an array's index must exist (as OPA has it). */
export function setAt(node: unknown, path: readonly Step[], value: unknown): Edited {
  return edit(node, path, 'set', value);
}

/** A step with one spelling. */
export function step(name: string): Step {
  return { names: [name] };
}

function edit(node: unknown, path: readonly Step[], op: 'remove' | 'set', value: unknown): Edited {
  const [first, ...rest] = path;
  if (first === undefined) return op === 'set' ? { value } : undefined;
  if (Array.isArray(node)) return editArray(node, first, rest, op, value);
  if (isObject(node)) return editObject(node, first, rest, op, value);
  return undefined;
}

function editArray(
  node: readonly unknown[],
  first: Step,
  rest: readonly Step[],
  op: 'remove' | 'set',
  value: unknown,
): Edited {
  const index = first.names.map(decimalIndex).find((found) => found !== undefined && found < node.length);
  if (index === undefined) return undefined;
  if (op === 'remove' && rest.length === 0) return { value: node.toSpliced(index, 1) };
  const child = edit(node[index], rest, op, value);
  return child === undefined ? undefined : { value: node.with(index, child.value) };
}

function editObject(
  node: Readonly<Record<string, unknown>>,
  first: Step,
  rest: readonly Step[],
  op: 'remove' | 'set',
  value: unknown,
): Edited {
  const name = first.names.find((candidate) => Object.hasOwn(node, candidate));
  if (name === undefined && op === 'remove') return undefined;
  if (op === 'remove' && rest.length === 0) {
    return { value: Object.fromEntries(Object.entries(node).filter(([key]) => key !== name)) };
  }
  const child = edit(name === undefined ? {} : node[name], rest, op, value);
  if (child === undefined) return undefined;
  return { value: withMember(node, name ?? first.names[0], child.value) };
}

/** A copy with one member set. By entries, so that a member named `__proto__` is a member. */
function withMember(node: Readonly<Record<string, unknown>>, name: string, value: unknown): Record<string, unknown> {
  const entries = Object.entries(node).filter(([key]) => key !== name);
  return Object.fromEntries([...entries, [name, value]]);
}

/** Index as Go's `strconv.Atoi` reads it, without negative ones. */
function decimalIndex(text: string): number | undefined {
  return /^[+]?\d{1,9}$|^-0{1,9}$/.test(text) ? Math.abs(Number(text)) : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
