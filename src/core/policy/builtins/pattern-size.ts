/** A class, with named classes inside. A `]` that comes first is a member. */
const CLASS = /\[\^?\]?(?:\[:\^?[A-Za-z]*:\]|\\[^]|[^\]\\])*\]?/y;
const QUOTED = /\\Q([^]*?)(?:\\E|$)/y;
const ESCAPE = /\\(?:[pP](?:\{[^}]*\}|[^])|x\{[^}]*\}|[^])?/y;
const REPEAT = /\{([0-9]{1,4})(?:,([0-9]{0,4}))?\}/y;
const RANGE =
  /(\\x\{[0-9A-Fa-f]{1,6}\}|\\x[0-9A-Fa-f]{2}|\\[0-7]{1,3}|\\?[^])-(?=(\\x\{[0-9A-Fa-f]{1,6}\}|\\x[0-9A-Fa-f]{2}|\\[0-7]{1,3}|\\?[^]))/gu;
/** Instructions around a group: two captures, and what joins alternatives that may be empty. */
const GROUP = 6;
/** Work of a Unicode class, which has up to some 700 ranges. */
const UNICODE_CLASS = 700;
/** The last character that has another case. */
const LAST_FOLD = 125_251;

/**
 * How much work it may be at most to compile a pattern, in instructions of its program; without compiling it, since a pattern may come from a peer.
 * Repeats multiply: `(a{1000}b){1000}` is refused by RE2, but `a{1000}` written a hundred times is not.
 */
export function patternSize(pattern: string): number {
  const groups = [0];
  let last = 0;
  let at = 0;
  /** Consumes what an expression matches here. */
  const take = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = at;
    const found = expression.exec(pattern);
    if (found !== null) at += found[0].length;
    return found;
  };
  const put = (size: number): void => {
    groups.push((groups.pop() ?? 0) + last);
    last = size;
  };
  while (at < pattern.length) {
    const char = pattern.charAt(at);
    const repeat = char === '{' ? take(REPEAT) : null;
    if (repeat !== null) last = (last + 2) * (Math.max(Number(repeat[1]), Number(repeat[2] ?? 0)) + 1);
    else if (char === '[') put(2 + classWork(take(CLASS)?.[0] ?? ''));
    else if (char === '\\') put(escapeWork(take(QUOTED)?.[1]?.length, take(ESCAPE)?.[0]));
    else {
      at += 1;
      if (char === '(') {
        put(0);
        groups.push(0);
      } else if (char === ')' && groups.length > 1) last += (groups.pop() ?? 0) + GROUP;
      else put(1);
    }
  }
  return groups.reduce((sum, size) => sum + size, last) + foldWork(pattern);
}

function escapeWork(quoted: number | undefined, escape: string | undefined): number {
  return (quoted ?? 0) + 1 + (/^\\[pP]/.test(escape ?? '') ? UNICODE_CLASS : 0);
}

function classWork(text: string): number {
  return text.length + (text.match(/\\[pP]/g)?.length ?? 0) * UNICODE_CLASS;
}

/** Where case may be ignored, each character of a range is looked up. */
function foldWork(pattern: string): number {
  if (!/\(\?[A-Za-z]*i/.test(pattern)) return 0;
  let work = 0;
  for (const [, low = '', high = ''] of pattern.matchAll(RANGE)) {
    work += Math.max(Math.min(code(high), LAST_FOLD) - code(low), 0) / 8;
  }
  return work;
}

function code(text: string): number {
  if (text.startsWith('\\x')) return Number.parseInt(text.replace(/[\\x{}]+/, ''), 16);
  if (/^\\[0-7]/.test(text)) return Number.parseInt(text.slice(1), 8);
  return text.codePointAt(text.length > 1 && text.startsWith('\\') ? 1 : 0) ?? 0;
}
