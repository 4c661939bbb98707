import { REFUSED_BUILTINS } from '../../core/policy/refused-builtins.ts';

/** The reason if OPA's `message` says that a refused built-in is unknown to it (`ast` package, `undefined function NAME`). */
export function refusalIn(message: string): string | undefined {
  const name = /^undefined function (\S+)$/.exec(message)?.[1];
  if (name === undefined || !Object.hasOwn(REFUSED_BUILTINS, name)) return undefined;
  return `${name} is refused: ${REFUSED_BUILTINS[name] ?? ''}`;
}
