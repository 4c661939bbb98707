/** What a policy author should do instead of asking the network in the middle of a decision. */
const INSTEAD =
  'a decision may not wait for the network, and could not be replayed. Push the data in the bundle instead ' +
  '(data.json, or a delta from the bundle server) and read it from `data`';

/**
 * Built-ins that OPA's compiler knows and that no policy here may use, each with the reason that the author reads. They are
 * taken out of the compiler's capabilities, so that a use is found at compile time, with its place. Built-ins that the
 * evaluating host merely lacks are the host's to refuse when it loads a module.
 */
export const refusedBuiltins: Readonly<Record<string, string>> = {
  'http.send': INSTEAD,
  'net.lookup_ip_addr': INSTEAD,
};

/** The reason if OPA's `message` says that a refused built-in is unknown to it (`ast` package, `undefined function NAME`). */
export function refusalIn(message: string): string | undefined {
  const name = /^undefined function (\S+)$/.exec(message)?.[1];
  if (name === undefined || !Object.hasOwn(refusedBuiltins, name)) return undefined;
  return `${name} is refused: ${refusedBuiltins[name] ?? ''}`;
}
