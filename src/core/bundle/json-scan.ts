/** Index after the closing quote of the string that begins at `start`; `text` is sound JSON. */
export function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    const char = text.charCodeAt(index);
    if (char === 0x5c) index += 1;
    else if (char === 0x22) return index + 1;
  }
  return text.length;
}

/** Index of the next character that is no white space (RFC 8259 section 2). */
export function skipSpace(text: string, start: number): number {
  let index = start;
  while (isSpace(text.charCodeAt(index))) index += 1;
  return index;
}

function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}

/** Index after the number or word that begins at `start`. */
export function endOfWord(text: string, start: number): number {
  let index = start;
  for (; index < text.length; index++) {
    const char = text.charCodeAt(index);
    if (char === 0x2c || char === 0x5d || char === 0x7d || isSpace(char)) break;
  }
  return index;
}
