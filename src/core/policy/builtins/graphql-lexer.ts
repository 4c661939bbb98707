import { BuiltinError } from '../builtin.ts';

/** A token of GraphQL (specification, October 2021, 2.1). `comments` are those directly before it. */
export type GraphqlToken = {
  readonly kind: 'punctuator' | 'name' | 'int' | 'float' | 'string' | 'block' | 'end';
  readonly value: string;
  readonly comments: readonly string[];
};

const IGNORED = /[\t\n\r ,\ufeff]*/y;
const COMMENT = /#[^\u0000-\u0008\n-\u001f]*/y;
const PUNCTUATOR = /\.\.\.|[!$&():=@[\]{}|]/y;
const NAME = /[_A-Za-z][_0-9A-Za-z]*/y;
const NUMBER = /-?(?:0(?![0-9])|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![.][^.]|[eE])/y;
const STRING = /"((?:[^"\\\u0000-\u0008\n-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"/y;
const BLOCK = /"""((?:[^"\\\u0000-\u0008\u000b\u000c\u000e-\u001f]|\\"""|\\|"{1,2}(?!"))*)("{3,})/y;
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** Cuts a document into tokens, as gqlparser does, which OPA uses; the last is `end`. */
export function graphqlTokens(text: string): readonly GraphqlToken[] {
  const tokens: GraphqlToken[] = [];
  let comments: string[] = [];
  let at = 0;
  for (;;) {
    at += matched(IGNORED, text, at)?.[0].length ?? 0;
    const comment = matched(COMMENT, text, at)?.[0];
    if (comment === undefined) {
      const { token, length } = tokenAt(text, at);
      tokens.push({ ...token, comments });
      if (token.kind === 'end') return tokens;
      comments = [];
      at += length;
    } else {
      comments.push(comment);
      at += comment.length;
    }
  }
}

function matched(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

type Found = { readonly token: Omit<GraphqlToken, 'comments'>; readonly length: number };

function tokenAt(text: string, at: number): Found {
  if (at >= text.length) return { token: { kind: 'end', value: '' }, length: 0 };
  const simple = matched(PUNCTUATOR, text, at)?.[0];
  if (simple !== undefined) return { token: { kind: 'punctuator', value: simple }, length: simple.length };
  const name = matched(NAME, text, at)?.[0];
  if (name !== undefined) return { token: { kind: 'name', value: name }, length: name.length };
  const number = matched(NUMBER, text, at);
  if (number !== null) {
    const whole = number[1] === undefined && number[2] === undefined;
    return { token: { kind: whole ? 'int' : 'float', value: number[0] }, length: number[0].length };
  }
  return stringAt(text, at);
}

function stringAt(text: string, at: number): Found {
  const block = matched(BLOCK, text, at);
  if (block !== null) {
    const raw = `${block[1]}${(block[2] ?? '').slice(3)}`.replaceAll(String.raw`\"""`, '"""');
    return { token: { kind: 'block', value: blockValue(raw.replaceAll(/\r\n?/g, '\n')) }, length: block[0].length };
  }
  const found = text.startsWith('"""', at) ? null : matched(STRING, text, at);
  if (found === null) throw new BuiltinError('GraphQL parse error: a character or string that is not allowed');
  return { token: { kind: 'string', value: unescaped(found[1] ?? '') }, length: found[0].length };
}

/** Half a surrogate pair is U+FFFD, also where two escapes make a pair. */
function unescaped(body: string): string {
  return body.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_, code: string | undefined, char: string) =>
    code === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(code, 16)).toWellFormed(),
  );
}

/** The value of a block string; unlike the specification's, the first line counts for the common indentation. */
function blockValue(raw: string): string {
  const lines = raw.split('\n');
  const indents = lines.flatMap((line) => (isBlank(line) ? [] : [line.length - line.replace(/^[ \t]+/, '').length]));
  const common = indents.length === 0 ? 0 : Math.min(...indents);
  const cut = lines.map((line, index) => (index === 0 ? line : line.slice(common)));
  const first = cut.findIndex((line) => !isBlank(line));
  const last = cut.findLastIndex((line) => !isBlank(line));
  return first < 0 ? '' : cut.slice(first, last + 1).join('\n');
}

function isBlank(line: string): boolean {
  return /^[ \t]*$/.test(line);
}
