const ATOM = /^[^\u0000-\u0020()<>[\]:;@\\,"\u007f]+/;
const QUOTED = /^"((?:[^"\\\r\n\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]|\\[\t -~\u0080-\u{10ffff}])*)"/u;
const DOMAIN_LITERAL = /^\[[!-Z^-~\u0080-\u{10ffff}]*\]/u;
const COMMENT_DEPTH = 20;

/** True for a single address as Go's `mail.ParseAddress` reads it (RFC 5322 3.4): `local@domain`, or a name and that in angle brackets. */
export function isMailAddress(text: string): boolean {
  const plain = afterAddressSpec(text.trimStart());
  if (plain !== undefined) return isCommentsOnly(plain);
  const named = afterPhrase(text.trimStart());
  if (named?.startsWith('<') !== true) return false;
  const rest = afterAddressSpec(named.slice(1));
  return rest?.startsWith('>') === true && isCommentsOnly(rest.slice(1));
}

/** What follows `local@domain`; undefined where that does not stand here. */
function afterAddressSpec(text: string): string | undefined {
  const start = text.replace(/^[ \t]+/, '');
  const quoted = QUOTED.exec(start);
  const local = quoted === null ? dotAtom(start) : quoted[1] === '' ? undefined : quoted[0];
  if (local === undefined || start[local.length] !== '@') return undefined;
  const rest = start.slice(local.length + 1).replace(/^[ \t]+/, '');
  const domain = rest.startsWith('[') ? DOMAIN_LITERAL.exec(rest)?.[0] : dotAtom(rest);
  return domain === undefined ? undefined : rest.slice(domain.length).replace(/^[ \t]+/, '');
}

function dotAtom(text: string): string | undefined {
  const atom = ATOM.exec(text)?.[0];
  return atom === undefined || /^\.|\.\.|\.$/.test(atom) ? undefined : atom;
}

/** What follows a display name, which may be missing. */
function afterPhrase(text: string): string | undefined {
  let rest = text.replace(/^[ \t]+/, '');
  while (rest !== '' && !rest.startsWith('<')) {
    const word = QUOTED.exec(rest)?.[0] ?? ATOM.exec(rest)?.[0];
    if (word === undefined) return undefined;
    rest = rest.slice(word.length).replace(/^[ \t]+/, '');
  }
  return rest;
}

function isCommentsOnly(text: string): boolean {
  let depth = 0;
  for (const [char] of text.matchAll(/\\.|[^]/g)) {
    if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    else if (depth === 0 && char !== ' ' && char !== '\t') return false;
    if (depth < 0 || depth > COMMENT_DEPTH) return false;
  }
  return depth === 0;
}
