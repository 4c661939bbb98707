import fc from 'fast-check';

/** One character of a JSON string as it may stand in text: raw or escaped, in every way that readers differ about. */
const CHARACTERS: readonly (readonly string[])[] = [
  ['a', 'B', '0', ' ', '~', '\x7f', 'é', '\u07ff', '\u2027', '\u2028', '\u2029', '\uffff', '\ue000', '😀', '𐀀'],
  ['<', '>', '&', "'", '/', '\\/', '\\"', '\\\\', '\\b', '\\f', '\\n', '\\r', '\\t'],
  ['\\u0000', '\\u001f', '\\u007F', '\\u00e9', '\\u2028', '\\uFFFD', '\\u0041', '\\ud83d\\ude00', '\\uD800\\uDC00'],
  ['__proto__', 'constructor', '{', '}', '[', ']', ',', ':'],
];
const character = fc.constantFrom(...CHARACTERS.flat());
const loneSurrogate = fc.constantFrom('\\ud800', '\\uDFFF', '\\ud83d', '\\ude00\\ud83d');

function stringText(unit: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.array(unit, { maxLength: 4 }).map((parts) => `"${parts.join('')}"`);
}

/** A number literal with digits that no double holds, needless zeros and signs. */
export const numberText = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(fc.constant('0'), fc.stringMatching(/^[1-9][0-9]{0,24}$/)),
    fc.oneof(fc.constant(''), fc.stringMatching(/^\.[0-9]{1,20}$/)),
    fc.oneof(fc.constant(''), fc.stringMatching(/^[eE][+-]?[0-9]{1,2}$/)),
  )
  .map((parts) => parts.join(''));

const space = fc.constantFrom('', '', ' ', '\n', '\t ');

/** JSON text as no serialiser writes it: odd numbers, escapes and spaces, keys in any order and more than once. */
export function jsonText(options: { readonly loneSurrogates: boolean }): fc.Arbitrary<string> {
  const text = stringText(
    options.loneSurrogates ? fc.oneof({ weight: 6, arbitrary: character }, loneSurrogate) : character,
  );
  const key = stringText(character);
  return fc.letrec<{ value: string; object: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      numberText,
      text,
      fc.constantFrom('true', 'false', 'null', '[]', '{}'),
      fc
        .tuple(fc.array(tie('value'), { maxLength: 3 }), space)
        .map(([items, gap]) => `[${gap}${items.join(`${gap},`)}]`),
      tie('object'),
    ),
    object: fc
      .tuple(fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }), space)
      .map(([members, gap]) => `{${members.map(([name, value]) => `${gap}${name}${gap}:${value}`).join(',')}${gap}}`),
  })).object;
}
