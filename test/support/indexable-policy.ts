import fc from 'fast-check';

/** Rego in which a rule index finds much to do, and much that it must leave alone, with inputs that come close to its constants. */
export type IndexablePolicy = { readonly source: string; readonly inputs: readonly object[] };

const TERMS = [
  '"x"',
  '"y"',
  '"GET"',
  '""',
  '"é"',
  '"a\\u0000b"',
  'true',
  'false',
  'null',
  '1',
  '1.0',
  '[]',
  '"1"',
] as const;
const PLACES = [
  'input.a',
  'input.b.c',
  'input.b.c.a',
  'input.p[0]',
  'input.p[1]',
  'input.p[0].a',
  'input.b["0"]',
  'input',
] as const;

const term = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...TERMS.slice(0, 6)) }, fc.constantFrom(...TERMS));
const place = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('input.a', 'input.a', 'input.b.c', 'input.p[0]') },
  fc.constantFrom(...PLACES),
);
const equal = fc.tuple(place, term).map(([part, value]) => `${part} == ${value}`);
const condition = fc.oneof(
  { weight: 40, arbitrary: equal },
  fc.tuple(place, term).map(([part, value]) => `${value} == ${part}`),
  fc.tuple(place, term).map(([part, value]) => `v := ${part}; v == ${value}`),
  place,
  equal.map((one) => `not ${one}`),
  fc.tuple(place, term).map(([part, value]) => `${part} != ${value}`),
  fc.tuple(place, place).map(([one, other]) => `${one} == ${other}`),
  fc.constantFrom('data.d.yes', 'data.d.no', 'count(input.a) > 0', 'startswith(input.a, "x")', 'g(input.a)'),
  term.map((value) => `h(input.a, ${value}) == 1`),
  term.map((value) => `some e in input.p; e == ${value}`),
  equal.map((one) => `every e in input.p { e != "q"; ${one} }`),
);
/** Where a body replaces its input, the function is not indexed at all. */
const replacing = fc.oneof(
  { weight: 9, arbitrary: condition },
  fc.tuple(fc.constantFrom('input.a', 'input.b.c'), term).map(([part, value]) => `other with ${part} as ${value}`),
  term.map((value) => `other with input as {"a": ${value}}`),
);
/** Rego has each variable once in a body. */
const body = (conditions: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .array(conditions, { minLength: 1, maxLength: 4 })
    .map((all) => all.map((one, i) => one.replaceAll(/\bv\b/g, `v${i}`).replaceAll(/\be\b/g, `e${i}`)).join('\n\t'));
/** Mostly the same, or every answer would be a conflict. */
const result = fc.oneof({ weight: 40, arbitrary: fc.constant('1') }, fc.constantFrom('2', 'input.a', '"x"'));

function rules(head: (value: string) => string, least: number, conditions = condition): fc.Arbitrary<string> {
  const otherwise = fc
    .tuple(result, body(conditions))
    .map(([value, inside]) => ` else := ${value} if {\n\t${inside}\n}`);
  const chain = head('').startsWith('r ') || head('').startsWith('other ');
  const one = fc
    .tuple(result, body(conditions), fc.array(otherwise, { maxLength: chain ? 2 : 0 }))
    .map(([value, inside, others]) => `${head(value)} if {\n\t${inside}\n}${others.join('')}`);
  return fc.array(one, { minLength: least, maxLength: least + 12 }).map((all) => all.join('\n\n'));
}

const functions = fc
  .array(fc.tuple(term, term, result, body(condition)), { minLength: 9, maxLength: 14 })
  .map((all) => all.map(([a, b, value, inside]) => `f(${a}, ${b}) := ${value} if {\n\t${inside}\n}`).join('\n\n'));

const source = fc
  .tuple(
    rules((value) => `r := ${value}`, 14),
    rules((value) => `s contains ${value}`, 14, replacing),
    rules((value) => `o[${value}] := ${value}`, 12),
    rules((value) => `other := ${value}`, 14),
    functions,
    fc.constantFrom('', 'default r := "none"\n\n'),
  )
  .map(([complete, set, object, other, called, otherwise]) =>
    [
      'package t\n\nimport rego.v1\n',
      'd contains ["r", r]\n\nd contains ["s", s]\n\nd contains ["o", o]\n\nd contains ["f", f(input.a, input.b.c)]\n',
      'd contains ["w", x] if x := r with input as {"a": "x", "p": ["x", "y"]}\n',
      'd contains ["v", x] if x := s with input.a as "GET"\n',
      'c if r\n\ng("x") if input.b\n\ng(1)\n\nh(x, y) := 1 if x == y\n',
      otherwise + complete,
      set,
      object,
      other,
      called,
    ].join('\n\n'),
  );

const leaf = fc.constantFrom<unknown>(
  'x',
  'y',
  'GET',
  '',
  'é',
  'a\u0000b',
  'a\u0000c',
  true,
  false,
  null,
  1,
  0,
  '1',
  [],
);
const part = fc.oneof(
  { weight: 3, arbitrary: leaf },
  fc.array(leaf, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('0', '1', 'a', 'c'), leaf, { maxKeys: 3 }),
);
const input = fc.record(
  {
    a: fc.oneof({ weight: 4, arbitrary: leaf }, part),
    b: fc.oneof({ weight: 4, arbitrary: fc.record({ c: part }) }, part),
    p: fc.oneof({ weight: 4, arbitrary: fc.array(part, { maxLength: 3 }) }, part),
  },
  { requiredKeys: [] },
);

export const indexablePolicy: fc.Arbitrary<IndexablePolicy> = fc.record({
  source,
  inputs: fc.array(input, { minLength: 25, maxLength: 25 }),
});
