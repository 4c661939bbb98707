/**
 * A header list as it is on the wire: `[name, value, name, value, …]`, order and duplicates kept.
 * Names in a canonical request are lower case. Values are strings of bytes (Latin-1), without leading or trailing white space.
 */
export type HeaderList = readonly string[];

/** First value of `name` (lower case) in a list with lower-case names, or undefined. */
export function firstHeader(list: HeaderList, name: string): string | undefined {
  for (let i = 0; i + 1 < list.length; i += 2) if (list[i] === name) return list[i + 1];
  return undefined;
}

/** All values of `name` (lower case) in a list with lower-case names, in order. */
export function allHeaders(list: HeaderList, name: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < list.length; i += 2) if (list[i] === name) values.push(list[i + 1] as string);
  return values;
}
