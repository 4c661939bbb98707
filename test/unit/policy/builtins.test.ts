import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../src/core/policy/builtin.ts';
import type { Builtin } from '../../../src/core/policy/builtin.ts';
import { formatFloat } from '../../../src/core/policy/builtins/go-float.ts';
import { HOST_BUILTINS } from '../../../src/core/policy/builtins/table.ts';
import { parseTerm } from '../../../src/core/policy/term-text.ts';
import { arr, num, str } from '../../../src/core/policy/term.ts';
import type { Term } from '../../../src/core/policy/term.ts';
import { FREE, ask, call, limited } from '../../support/builtin-call.ts';
import { TEXT_AT, hostilePolicy } from '../../support/hostile-policy.ts';
import { ENTRYPOINT, load, loadRules, sourceOf } from '../../support/policy-host.ts';
import { i32 } from '../../support/wasm-assembler.ts';

function sprintf(format: string, ...args: Term[]): string {
  const text = call('sprintf', [str(format), arr(args)]);
  assert.ok(text.kind === 'string');
  return text.value;
}

test('no built-in reaches the network or this machine', () => {
  const names = [...HOST_BUILTINS.keys()];
  assert.deepEqual(
    names.filter((name) => /^(?:http|opa\.|rego\.)|lookup/.test(name)),
    [],
  );
});

test('what the arguments do not determine is said to be nondeterministic', () => {
  for (const name of ['time.now_ns', 'rand.intn', 'uuid.rfc4122'])
    assert.equal(HOST_BUILTINS.get(name)?.nondeterministic, true, name);
});

test('every built-in answers the wrong kind of operand with an error, whatever it is given', () => {
  const values = fc.constantFrom(
    'null',
    'true',
    '5',
    '1.5',
    '"x"',
    '[]',
    '["a", 1]',
    '{}',
    '{"a": [1]}',
    'set()',
    '{1, "b"}',
    '-1',
    '1e400',
  );
  const names = fc.constantFrom(...HOST_BUILTINS.keys());
  fc.assert(
    fc.property(names, fc.array(values, { minLength: 4, maxLength: 4 }), (name, texts) => {
      const builtin = HOST_BUILTINS.get(name) as Builtin;
      try {
        builtin.call(texts.slice(0, builtin.arity).map(parseTerm), FREE);
      } catch (problem) {
        const sound = problem instanceof BuiltinError || problem instanceof EvaluationHalt;
        assert.ok(sound, `${name}(${texts.join()}): ${String(problem)}`);
      }
    }),
    { numRuns: 3000 },
  );
});

test('sprintf never throws anything but an error of its own, for any format', () => {
  const formats = fc.string({
    unit: fc.constantFrom(
      '%',
      'd',
      's',
      'v',
      'x',
      'q',
      'f',
      'e',
      'g',
      'c',
      'T',
      '5',
      '0',
      '-',
      '+',
      '#',
      ' ',
      '.',
      '*',
      '[',
      '\u00e9',
    ),
  });
  const operands = fc.constantFrom(
    num(5),
    num('-12345678901234567890'),
    num('2.5'),
    str('\u2603"'),
    arr([num(1)]),
    num('1e400'),
  );
  fc.assert(
    fc.property(formats, fc.array(operands, { maxLength: 3 }), (format, args) => {
      try {
        sprintf(format, ...args);
      } catch (problem) {
        assert.ok(problem instanceof BuiltinError, `${format}: ${String(problem)}`);
      }
    }),
    { numRuns: 2000 },
  );
});

test('what sprintf does not do as Go does is an error with the reason, never another text', () => {
  for (const format of ['%p', '%w'])
    assert.throws(() => sprintf(format, num('12345678901234567890123')), BuiltinError, format);
});

test('Go fmt, Explicit argument indexes: widths, precisions and operands by number and by *', () => {
  assert.equal(sprintf('%[2]d %[1]d', num(11), num(22)), '22 11');
  assert.equal(sprintf('%[3]*.[2]*[1]f|', num('12.5'), num(2), num(6)), ' 12.50|');
  assert.equal(sprintf('%*d|%-*d|%*d|', num(4), num(1), num(4), num(2), num(-4), num(3)), '   1|2   |3   |');
  assert.equal(sprintf('%.*f', num(1), num('2.25')), '2.2');
  assert.equal(sprintf('%[1]d %d %[1]q', num(65), num(66)), "65 66 'A'");
});

test('Go fmt, Format errors: bad widths, precisions, indexes and verbs are said in the text', () => {
  assert.equal(sprintf('%*d', str('x'), num(1)), '%!(BADWIDTH)1');
  assert.equal(sprintf('%.*d|', num(-1), num(1)), '%!(BADPREC)1|');
  assert.equal(sprintf('%[5]d', num(1)), '%!d(BADINDEX)');
  assert.equal(sprintf('%[x]d %[]d %[1', num(1)), '%!d(BADINDEX) %!d(BADINDEX) %!(NOVERB)');
  assert.equal(sprintf('%[1]2d', num(1)), '%!d(BADINDEX)');
  assert.equal(sprintf('%.[1].2d', num(1)), '%!.(int64=1)2d');
  assert.equal(sprintf('%*d', num(1_000_001), num(1)), '%!(BADWIDTH)1');
  assert.equal(sprintf('%99999999999d', num(1)), '%!(NOVERB)%!(EXTRA int64=1)');
  assert.equal(sprintf('%#w', str('a')), '%!w(string="a")');
});

test('Go fmt: code points, quoted characters, hexadecimal and binary floats, the # flag', () => {
  assert.equal(
    sprintf('%U %#U %#.6U %U', num(0x2603), num(0x2603), num(10), num(-1)),
    "U+2603 U+2603 '\u2603' U+00000A U+FFFFFFFFFFFFFFFF",
  );
  assert.equal(
    sprintf('%q %q %q %+q %q', num(65), num(39), num(10), num(0x2603), num(-1)),
    String.raw`'A' '\'' '\n' '\u2603' '` + "\ufffd'",
  );
  assert.equal(
    sprintf('%x %X %.1x %.0x %x %x', num('1.5'), num('-0.1'), num('1.96875'), num('1.5'), num('0.0'), num('5e-324')),
    '0x1.8p+00 -0X1.999999999999AP-04 0x1.0p+01 0x1p+01 0x0p+00 0x1p-1074',
  );
  assert.equal(sprintf('%b %b', num('1.5'), num('0.0')), '6755399441055744p-52 0p-1074');
  assert.equal(
    sprintf('%#g %#.3g %#f %#.0f %#e %#.0x', num('1.5'), num('100.0'), num('1.0'), num('1.0'), num('0.5'), num('1.0')),
    '1.50000 100. 1.000000 1. 5.000000e-01 0x1.p+00',
  );
});

test('a width is paid for before the field is filled', () => {
  for (const format of ['%1000000d', '%.60000f', '%.60000d', '%*d']) {
    const operands = [num(1_000_000), num('1.5'), num(1)].slice(format === '%*d' ? 0 : 1);
    assert.throws(() => call('sprintf', [str(format), arr(operands)], limited(200_000_000)), EvaluationHalt, format);
  }
});

test('casts of older policies let one kind pass; print has no effect', () => {
  assert.equal(ask('cast_array', '{2, 1}'), '[1,2]');
  assert.equal(ask('cast_set', '[1]'), '{1}');
  for (const [name, value] of [
    ['cast_string', '"a"'],
    ['cast_boolean', 'true'],
    ['cast_null', 'null'],
    ['cast_object', '{}'],
  ] as const) {
    assert.equal(ask(name, value), value);
    assert.throws(() => ask(name, '1'), BuiltinError);
  }
  assert.deepEqual([ask('internal.print', '[{1}]'), ask('internal.test_case', '[]')], ['true', 'true']);
});

test('sprintf: floats are formatted by exact decimal arithmetic, halves to even', () => {
  assert.equal(sprintf('%.0f %.0f %.0f %.1f', num('0.5'), num('1.5'), num('2.5'), num('0.25')), '0 2 2 0.2');
  assert.equal(sprintf('%.3f', num('1.0005')), '1.000');
  assert.equal(sprintf('%.20f', num('0.1')), '0.10000000000000000555');
  assert.equal(sprintf('%.1f', num('9.96')), '10.0');
  assert.equal(sprintf('%.0e', num('9.5')), '1e+01');
});

test('sprintf: %e and %f with many digits agree with each other and read back as the same number', () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
      fc.integer({ min: 17, max: 40 }),
      (value, precision) => {
        assert.equal(Number(formatFloat(value, 'e', precision)), value);
        assert.equal(Number(formatFloat(value, 'g', precision)), value);
        assert.equal(Number(formatFloat(value, 'g', undefined)), value);
        assert.equal(Number(formatFloat(value, 'f', undefined)), value);
      },
    ),
  );
});

test('sprintf: rounding is to the nearest: no other decimal of that length is nearer', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 ** 9 }), fc.integer({ min: 0, max: 6 }), (thousandths, precision) => {
      const value = thousandths / 1024;
      const text = formatFloat(value, 'f', precision);
      assert.equal(text.split('.')[1]?.length ?? 0, precision);
      assert.ok(Math.abs(Number(text) - value) <= 0.5 * 10 ** -precision + value * 2 ** -52);
    }),
  );
});

test('text that is no UTF-8 cannot come out of a decoder', () => {
  for (const [name, text] of [
    ['hex.decode', 'ff'],
    ['urlquery.decode', '%ff'],
    ['urlquery.decode_object', 'a=%c3'],
    ['hex.decode', 'eda080'],
  ] as const) {
    assert.throws(() => call(name, [str(text)]), /no UTF-8/, name);
  }
  assert.deepEqual(call('hex.decode', [str('efbbbf61')]), str('\ufeffa'));
});

test('hmac.equal compares whole texts', () => {
  assert.deepEqual(call('crypto.hmac.equal', [str('aa'), str('aa')]), { kind: 'boolean', value: true });
  assert.deepEqual(call('crypto.hmac.equal', [str('aa'), str('ab')]), { kind: 'boolean', value: false });
  assert.deepEqual(call('crypto.hmac.equal', [str('aa'), str('aaa')]), { kind: 'boolean', value: false });
});

test('the zone of this machine is no zone, and offsets and wrong case are none either', () => {
  for (const zone of ['Local', '+01:00', 'europe/berlin', 'Europe/Nowhere', '../etc/passwd', 'UTC0 ', '']) {
    const ask = (): Term => call('time.clock', [arr([num(0), str(zone)])]);
    if (zone === '') assert.deepEqual(ask(), arr([num(0), num(0), num(0)]));
    else assert.throws(ask, /unknown time zone/, zone);
  }
});

function numbers(count: number): Term {
  return arr(Array.from({ length: count }, (_, i) => num(i)));
}

test('work that grows with its operands is charged before it is done', () => {
  const texts = arr(Array.from({ length: 3000 }, () => str('a'.repeat(20))));
  const tooMuch: readonly (readonly [string, readonly Term[]])[] = [
    ['strings.any_prefix_match', [texts, texts]],
    ['strings.any_suffix_match', [texts, texts]],
    ['indexof_n', [str('a'.repeat(100_000)), str('a'.repeat(50_000))]],
    [
      'object.subset',
      [
        { kind: 'set', items: Array.from({ length: 2000 }, (_, i) => num(i)) },
        { kind: 'set', items: [num(-1), num(-2)] },
      ],
    ],
    ['object.subset', [numbers(2000), arr([num(1999), num(1)])]],
    ['sprintf', [str('%10000d'.repeat(1000)), numbers(1000)]],
  ];
  for (const [name, args] of tooMuch) assert.throws(() => call(name, args, limited(5_000_000)), EvaluationHalt, name);
});

test('a call costs 40,000 steps, and 400 for each character of its operands and result', () => {
  const call = [...i32(0), ...i32(0), ...i32(TEXT_AT.own), 0x10, 2, 0x1a, ...i32(TEXT_AT.allow)];
  const module = { builtins: '{"hex.encode":0}', code: { opa_eval: call } };
  for (const text of ['', 'a', 'abcdefgh']) {
    const policy = load(sourceOf(hostilePolicy({ ...module, text: JSON.stringify(text) })));
    const evaluation = policy.query(ENTRYPOINT, {});
    assert.equal(evaluation.kind, 'defined');
    const price = 40_000 + 400 * (text.length + 2) + 400 * (2 * text.length + 2);
    assert.ok(evaluation.steps >= price && evaluation.steps < price + 100, `${text}: ${evaluation.steps}`);
  }
});

test('operands and results have a largest size', async () => {
  const limits = { budget: 2 ** 31 - 1, memoryBytes: 32 << 20, inputBytes: 4 << 20 };
  const policy = await loadRules('d := count(hex.encode(input.text))', limits);
  for (const length of [600_000, 2_000_000]) {
    const evaluation = policy.query(ENTRYPOINT, { text: 'x'.repeat(length) });
    assert.ok(evaluation.kind === 'failed');
    assert.equal(evaluation.fault.code, 'policy_memory_exceeded');
  }
  assert.equal(policy.query(ENTRYPOINT, { text: 'x' }).kind, 'defined');
});

test('notes of failed built-ins are bounded', async () => {
  const policy = await loadRules('d := [x | some i in numbers.range(1, 100); x := hex.decode(sprintf("z%d", [i]))]');
  const evaluation = policy.query(ENTRYPOINT, {});
  assert.ok(evaluation.kind === 'defined');
  assert.deepEqual([evaluation.value, evaluation.builtinErrors?.length], [[], 8]);
});
