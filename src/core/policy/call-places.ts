const MAX_PLACES = 10;

/**
 * Where Rego calls a built-in, as `file:row`, at most ten places: for the message about a delivered module that needs one which is not here. Found in
 * the text, since the module says only that it is called; a name in a string that spans lines may be taken for a call.
 */
export function callPlaces(rego: ReadonlyMap<string, Uint8Array>, name: string): readonly string[] {
  const call = new RegExp(`(?<![\\w.])${name.replaceAll('.', '\\.')}\\(`);
  const places: string[] = [];
  for (const [path, bytes] of rego) {
    const lines = new TextDecoder().decode(bytes).split('\n');
    lines.forEach((line, index) => {
      if (call.test(withoutStrings(line)) && places.length < MAX_PLACES) places.push(`${path}:${index + 1}`);
    });
  }
  return places;
}

/** A line of Rego without the text of its strings and its comment. */
function withoutStrings(line: string): string {
  return line.replaceAll(/"(?:[^"\\]|\\.)*"|`[^`]*`/g, '""').replace(/#.*$/, '');
}
