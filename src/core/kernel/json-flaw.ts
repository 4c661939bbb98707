/**
 * What makes sound JSON (RFC 8259) unfit to be read: nested deeper than `maxDepth` levels, or a key twice in one object, since two readers may take different
 * ones of two. To be asked before a text is parsed, as revivers recurse; what is no JSON is left to the parser. Time grows with the length of `text`.
 */
export function jsonFlaw(text: string, maxDepth: number): string | undefined {
  const open: Set<string>[] = [];
  let string = '';
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (char === '"') {
      const end = endOfString(text, index);
      string = text.slice(index, end);
      index = end - 1;
    } else if (char === '{' || char === '[') {
      if (open.push(new Set()) > maxDepth) return `nested deeper than ${maxDepth} levels`;
    } else if (char === '}' || char === ']') open.pop();
    else if (char === ':' && !addKey(open.at(-1), string)) return 'a key stands twice in one object';
  }
  return undefined;
}

/** Index after the quote that ends the string that begins at `start`; after the text where there is none. */
function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index += 1) {
    const char = text.charCodeAt(index);
    if (char === 0x5c) index += 1;
    else if (char === 0x22) return index + 1;
  }
  return text.length;
}

/** False where the key is there. Keys are compared as they are meant: one may be written in several ways. */
function addKey(keys: Set<string> | undefined, token: string): boolean {
  const key = decoded(token);
  if (keys === undefined) return true;
  const fresh = !keys.has(key);
  keys.add(key);
  return fresh;
}

function decoded(token: string): string {
  try {
    return JSON.parse(token) as string;
  } catch {
    return token;
  }
}
