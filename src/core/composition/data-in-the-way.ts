import { isObject, shownPath } from './policy-part.ts';

/** The first data that stands where a rule is, or in its way: OPA refuses a policy with such data. Data is checked by itself because it changes without a compilation. */
export function dataInTheWay(rules: readonly (readonly string[])[], data: unknown): string | undefined {
  const rule = rules.find((path) => isInTheWay(path, data));
  return rule && `data stands at ${shownPath(rule)}, or above it, where there is a rule; move one of them`;
}

function isInTheWay(path: readonly string[], data: unknown): boolean {
  let here = data;
  for (const key of path) {
    if (!isObject(here)) return true;
    if (!Object.hasOwn(here, key)) return false;
    here = here[key];
  }
  return true;
}
