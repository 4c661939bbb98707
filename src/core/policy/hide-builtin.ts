/** One character a byte, so that positions agree. */
const latin1 = new TextDecoder('latin1');

/**
 * Renames a built-in in the table of names that a module declares, so that an evaluator which has one of its own under that name asks its host instead.
 * OPA's compiler writes that table after the policy's own strings, each name between NULs, so the last one is the declaration.
 * The new name has the same length; where the old one is not found the module is given back as it is.
 */
export function hideBuiltin(module: Uint8Array<ArrayBuffer>, name: string): Uint8Array<ArrayBuffer> {
  const at = latin1.decode(module).lastIndexOf(`\0${name}\0`);
  if (at < 0) return module;
  const copy = module.slice();
  copy.set(ascii(hiddenName(name)), at + 1);
  return copy;
}

/** The name that `hideBuiltin` gives: no built-in has it. */
export function hiddenName(name: string): string {
  return `${name.slice(0, -1)}!`;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
