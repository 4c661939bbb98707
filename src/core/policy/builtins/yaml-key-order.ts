const LETTER = /^\p{L}$/u;
const DIGIT = /^\p{Nd}$/u;

/** go-yaml's order of keys (sorter.go): by code points, but letters after everything else, and runs of digits by their value. */
export function compareYamlKeys(left: string, right: string): number {
  const a = Array.from(left);
  const b = Array.from(right);
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at += 1;
  const x = a[at];
  const y = b[at];
  if (x === undefined || y === undefined) return a.length - b.length;
  return difference(a, b, at, x, y);
}

function difference(a: readonly string[], b: readonly string[], at: number, x: string, y: string): number {
  const letters = [LETTER.test(x), LETTER.test(y)];
  if (letters[0] === true && letters[1] === true) return codeOf(x) - codeOf(y);
  if (letters[0] === true || letters[1] === true) {
    const afterDigit = at > 0 && DIGIT.test(a[at - 1] ?? '');
    return (letters[0] === true) === afterDigit ? -1 : 1;
  }
  return byNumber(a, b, at) || codeOf(x) - codeOf(y);
}

/** A zero counts as a digit of the number before it only where that has begun. */
function byNumber(a: readonly string[], b: readonly string[], at: number): number {
  const begun = (a[at] === '0' || b[at] === '0') && hasNumberBefore(a, at) ? '1' : '0';
  const x = digitsFrom(a, at);
  const y = digitsFrom(b, at);
  const m = numberOf(begun, x);
  const n = numberOf(begun, y);
  if (m !== n) return m < n ? -1 : 1;
  return x.length - y.length;
}

function hasNumberBefore(chars: readonly string[], at: number): boolean {
  for (let index = at - 1; index >= 0 && DIGIT.test(chars[index] ?? ''); index -= 1) {
    if (chars[index] !== '0') return true;
  }
  return false;
}

function digitsFrom(chars: readonly string[], at: number): readonly string[] {
  const end = chars.findIndex((char, index) => index >= at && !DIGIT.test(char));
  return chars.slice(at, end < 0 ? chars.length : end);
}

/** Go's 64-bit arithmetic, which wraps around, on code points less that of `0`. */
function numberOf(begun: string, digits: readonly string[]): bigint {
  let value = BigInt(begun);
  for (const digit of digits) value = BigInt.asIntN(64, value * 10n + BigInt(codeOf(digit) - 0x30));
  return value;
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}
