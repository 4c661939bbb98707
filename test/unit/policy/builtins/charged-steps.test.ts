import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { BuiltinBridge } from '../../../../src/core/policy/builtin-bridge.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import type { Builtin } from '../../../../src/core/policy/builtin.ts';
import { HOST_BUILTINS } from '../../../../src/core/policy/builtins/table.ts';
import { GuestMemory } from '../../../../src/core/policy/guest-memory.ts';
import type { PolicyExports } from '../../../../src/core/policy/policy-abi.ts';
import { termText } from '../../../../src/core/policy/term-text.ts';
import { arr, bool, num, str } from '../../../../src/core/policy/term.ts';
import type { Term } from '../../../../src/core/policy/term.ts';
import { FREE, call } from '../../../support/builtin-call.ts';
import { createDrivenClock } from '../../../support/driven-clock.ts';
import { term } from '../../../support/json-builtin.ts';

/** Arguments of a size. */
type Grow = (size: number) => readonly Term[];

const a = (size: number): Term => str('a'.repeat(size));
const list = (size: number, one: (index: number) => unknown): Term =>
  term(Array.from({ length: size }, (_, index) => one(index)));
const text = (part: string) => (size: number) => [str(part.repeat(size))];
const cidrs = (size: number): Term => list(size, (index) => `10.${index >> 8}.${index & 255}.0/24`);
const SECONDS = num(1_700_000_000_000_000_000n);
const schemaOf = (size: number): Term =>
  str(`type Query {${Array.from({ length: size }, (_, index) => ` f${index}: Int`).join('')} }`);
const queryOf = (size: number): Term =>
  str(`{${Array.from({ length: size }, (_, index) => ` f${index}: f0`).join('')} }`);
const token = (size: number): Term =>
  str(`eyJhbGciOiJIUzI1NiJ9.${Buffer.from(JSON.stringify({ a: 'x'.repeat(size * 3) })).toString('base64url')}.AA`);
const keySet = (size: number): Term =>
  str(JSON.stringify({ keys: Array.from({ length: size }, () => ({ kty: 'x' })) }));
const SECRET = str('a secret of thirty-two bytes, yes');
const AWS = term({ aws_service: 's3', aws_access_key: 'a', aws_secret_access_key: 'b', aws_region: 'c' });

const long = (size: number): string => '9'.repeat(size);
const pairs = (size: number): Term => list(100, (index) => `${'a'.repeat(size)}${index}`);

/**
 * Every host built-in, with arguments that grow. `text`: one pass over its texts, for which the bridge's price of a character is enough, so it takes nothing of its
 * own. `fixed`: besides, it pays once for a key, a zone or the like. `work`: it takes steps for its work, which must grow with the size.
 */
const BUILTINS: Readonly<Record<string, readonly ['text' | 'work' | 'fixed', Grow]>> = {
  cast_array: ['text', (n) => [list(n, String)]],
  cast_boolean: ['text', (n) => [a(n)]],
  cast_null: ['text', (n) => [a(n)]],
  cast_object: ['text', (n) => [list(n, String)]],
  cast_set: ['text', (n) => [list(n, String)]],
  cast_string: ['text', (n) => [a(n)]],
  'internal.print': ['text', (n) => [list(n, () => ['x'])]],
  'internal.test_case': ['text', (n) => [list(n, String)]],
  trace: ['text', (n) => [a(n)]],
  'net.cidr_contains_matches': ['work', (n) => [cidrs(n), term(['10.0.0.0/8'])]],
  'net.cidr_expand': ['work', (n) => [str(`10.0.0.0/${32 - Math.log2(n)}`)]],
  'net.cidr_is_valid': ['text', (n) => [a(n)]],
  'net.cidr_merge': ['work', (n) => [cidrs(n)]],
  'providers.aws.sign_req': [
    'work',
    (n) => [term({ method: 'GET', url: 'https://a/', body: 'x'.repeat(n) }), AWS, SECONDS],
  ],
  'hex.encode': ['text', (n) => [a(n)]],
  'hex.decode': ['text', text('61')],
  'base64url.encode_no_pad': ['text', (n) => [a(n)]],
  'urlquery.encode': ['text', text('/')],
  'urlquery.decode': ['text', text('%61')],
  'urlquery.encode_object': ['text', (n) => [term({ a: Array.from({ length: n }, () => 'b') })]],
  'urlquery.decode_object': ['text', text('a=b&')],
  'graph.reachable_paths': [
    'work',
    (n) => [term(Object.fromEntries(Array.from({ length: n }, (_, at) => [at, [String(at + 1)]]))), term(['0'])],
  ],
  'graphql.parse': ['work', (n) => [queryOf(n), schemaOf(n)]],
  'graphql.parse_and_verify': ['work', (n) => [queryOf(n), schemaOf(n)]],
  'graphql.parse_query': ['work', (n) => [queryOf(n)]],
  'graphql.parse_schema': ['work', (n) => [schemaOf(n)]],
  'graphql.is_valid': ['work', (n) => [queryOf(n), schemaOf(n)]],
  'graphql.schema_is_valid': ['work', (n) => [schemaOf(n)]],
  'crypto.md5': ['text', (n) => [a(n)]],
  'crypto.sha1': ['text', (n) => [a(n)]],
  'crypto.sha256': ['text', (n) => [a(n)]],
  'crypto.hmac.md5': ['text', (n) => [a(n), SECRET]],
  'crypto.hmac.sha1': ['text', (n) => [a(n), SECRET]],
  'crypto.hmac.sha256': ['text', (n) => [a(n), SECRET]],
  'crypto.hmac.sha512': ['text', (n) => [a(n), SECRET]],
  'crypto.hmac.equal': ['text', (n) => [a(n), a(n)]],
  'json.marshal_with_options': ['work', (n) => [list(n, String), term({ pretty: true })]],
  'json.patch': ['work', (n) => [list(n, String), list(n, () => ({ op: 'add', path: '/0', value: 1 }))]],
  ...Object.fromEntries(
    ['rs256', 'rs384', 'rs512', 'ps256', 'ps384', 'ps512', 'es256', 'es384', 'es512', 'eddsa'].map(
      (name) => [`io.jwt.verify_${name}`, ['work', (n: number) => [token(1), keySet(n)]]] as const,
    ),
  ),
  'io.jwt.verify_hs256': ['text', (n) => [token(n), SECRET]],
  'io.jwt.verify_hs384': ['text', (n) => [token(n), SECRET]],
  'io.jwt.verify_hs512': ['text', (n) => [token(n), SECRET]],
  'io.jwt.decode': ['work', (n) => [token(n)]],
  'io.jwt.decode_verify': ['work', (n) => [token(1), { kind: 'object', entries: [[str('cert'), keySet(n)]] }]],
  'io.jwt.encode_sign': [
    'fixed',
    (n) => [term({ alg: 'HS256' }), term({ a: 'x'.repeat(n) }), term({ kty: 'oct', k: 'AAAA' })],
  ],
  'io.jwt.encode_sign_raw': [
    'fixed',
    (n) => [str('{"alg":"HS256"}'), str(JSON.stringify({ a: 'x'.repeat(n) })), str('{"kty":"oct","k":"AAAA"}')],
  ],
  'numbers.range_step': ['work', (n) => [num(1), num(n), num(1)]],
  'rand.intn': ['text', (n) => [a(n), num(5)]],
  'json.match_schema': ['work', (n) => [list(n, String), term({ items: { type: 'string' } })]],
  'json.verify_schema': [
    'work',
    (n) => [term({ properties: Object.fromEntries(Array.from({ length: n }, (_, at) => [at, {}])) })],
  ],
  'object.subset': ['work', (n) => [list(n, String), list(n / 2, String)]],
  'regex.find_n': ['work', (n) => [str('b'), a(n), num(-1)]],
  'regex.split': ['work', (n) => [str('b'), a(n)]],
  'regex.replace': ['work', (n) => [a(n), str('[ab]'), str('c')]],
  'regex.template_match': ['work', (n) => [str('<[ab]*>'), a(n), str('<'), str('>')]],
  'regex.globs_match': ['work', (n) => [a(n), str('[a-c]*')]],
  'semver.compare': ['text', (n) => [str(`1.2.3-${'a'.repeat(n)}`), str('1.2.3')]],
  'semver.is_valid': ['text', (n) => [str(`1.2.3-${'a'.repeat(n)}`)]],
  sprintf: ['work', (n) => [str('%v'.repeat(n)), list(n, String)]],
  'strings.any_prefix_match': ['work', (n) => [list(n, String), term(['x'])]],
  'strings.any_suffix_match': ['work', (n) => [list(n, String), term(['x'])]],
  'strings.count': ['text', (n) => [a(n), str('a')]],
  'strings.split_n': ['text', (n) => [a(n), str('a'), num(n)]],
  indexof_n: ['work', (n) => [a(n), str('a')]],
  'glob.quote_meta': ['work', text('*')],
  'strings.render_template': ['work', (n) => [str('{{.a}}'.repeat(n)), term({ a: 1 })]],
  'time.parse_ns': ['work', (n) => [str('2006 '.repeat(n)), str('2007 '.repeat(n))]],
  'time.parse_rfc3339_ns': ['fixed', (n) => [a(n)]],
  'time.parse_duration_ns': ['work', text('1h')],
  'time.format': ['work', (n) => [arr([SECONDS, str('UTC'), str('2006 '.repeat(n))])]],
  'time.diff': ['fixed', (n) => [arr([SECONDS, a(n)]), SECONDS]],
  'time.date': ['fixed', (n) => [arr([SECONDS, a(n)])]],
  'time.clock': ['fixed', (n) => [arr([SECONDS, a(n)])]],
  'time.weekday': ['fixed', (n) => [arr([SECONDS, a(n)])]],
  'time.add_date': ['fixed', (n) => [arr([SECONDS, a(n)]), num(1), num(1), num(1)]],
  'units.parse': ['work', text('1')],
  'units.parse_bytes': ['work', text('1')],
  'uri.parse': ['text', (n) => [str(`http://a/${'b'.repeat(n)}`)]],
  'uri.is_valid': ['text', (n) => [str(`http://a/${'b'.repeat(n)}`)]],
  'uuid.parse': ['text', (n) => [a(n)]],
  'uuid.rfc4122': ['text', (n) => [a(n)]],
  'crypto.x509.parse_certificates': ['work', text('AAAA')],
  'crypto.x509.parse_and_verify_certificates': ['work', text('AAAA')],
  'crypto.x509.parse_and_verify_certificates_with_options': ['work', (n) => [str('AAAA'.repeat(n)), term({})]],
  'crypto.x509.parse_certificate_request': ['work', text('AAAA')],
  'crypto.x509.parse_keypair': ['work', (n) => [str('AAAA'.repeat(n)), str('AAAA')]],
  'crypto.x509.parse_rsa_private_key': ['work', text('AAAA')],
  'crypto.parse_private_keys': ['work', text('AAAA')],
  'yaml.marshal': ['work', (n) => [list(n, String)]],
  'yaml.unmarshal': ['work', text('- a\n')],
  'yaml.is_valid': ['work', text('- a\n')],
};
/** No argument. */
const FIXED: ReadonlySet<string> = new Set(['time.now_ns']);
const SIZE = 64;

/** What the work takes of its own. */
function own(builtin: Builtin, args: readonly Term[]): number {
  let sum = 0;
  try {
    builtin.call(args, { ...FREE, charge: (steps) => void (sum += steps) });
  } catch (problem) {
    if (!(problem instanceof BuiltinError)) throw problem;
  }
  return sum;
}

/** What a module pays for the call: through the bridge that it calls. */
function paid(name: string, builtin: Builtin, args: readonly Term[]): number {
  const guest = new GuestMemory(64);
  const bridge = new BuiltinBridge(guest, { clock: createDrivenClock(), random: (length) => new Uint8Array(length) });
  const budget = { value: 2 ** 50 };
  const exports = { budget, valueDump: (at: number) => at, malloc: () => 3 << 20, valueParse: () => 8 };
  bridge.attach(exports as unknown as PolicyExports, [{ name, builtin }]);
  bridge.begin(false);
  let at = 8;
  const addresses = args.map((arg) => {
    const start = at;
    at += (guest.write(termText(arg), start, 1 << 19) ?? assert.fail('no room for an argument')) + 1;
    return start;
  });
  const dispatch = bridge.imports['env']?.[`opa_builtin${args.length}`] as (...numbers: readonly number[]) => number;
  dispatch(0, 0, ...addresses);
  return 2 ** 50 - budget.value;
}

/** How much more the second doubling costs than the first; what is fixed falls out. 2 for what is proportional to the size. */
function growth(price: (size: number) => number): number {
  const [small, middle, large] = [price(SIZE), price(SIZE * 2), price(SIZE * 4)] as const;
  assert.ok(middle > small, `the price of twice the size is ${middle}, as it was (${small})`);
  return (large - middle) / (middle - small);
}

describe('the steps of a built-in grow with its arguments', () => {
  test('every built-in has arguments that grow, or none', () => {
    assert.deepEqual([...Object.keys(BUILTINS), ...FIXED].toSorted(), [...HOST_BUILTINS.keys()].toSorted());
  });
  for (const [name, [kind, grow]] of Object.entries(BUILTINS)) {
    test(`${name}: ${kind}`, () => {
      const builtin = HOST_BUILTINS.get(name) ?? assert.fail(`no built-in ${name}`);
      assert.ok(growth((size) => paid(name, builtin, grow(size))) > 1.8);
      if (kind === 'work') assert.ok(growth((size) => own(builtin, grow(size))) > 1.8);
      else assert.equal(own(builtin, grow(SIZE)) > 0, kind === 'fixed', 'it takes steps of its own, or not');
    });
  }
});

describe('what takes longer than its text is long', () => {
  for (const [title, name, grow, least] of [
    ['characters of each pair', 'strings.any_prefix_match', (n) => [pairs(n), pairs(n)], 2],
    ['characters of each pair', 'strings.any_suffix_match', (n) => [pairs(n), pairs(n)], 2],
    ['a text that nearly is the other, everywhere', 'indexof_n', (n) => [a(n * 2), a(n)], 3.9],
    ['digits', 'sprintf', (n) => [str('%d'), arr([num(long(n))])], 2.8],
    ['digits', 'units.parse', (n) => [str(long(n))], 2],
    ['digits', 'units.parse_bytes', (n) => [str(long(n))], 2],
  ] satisfies readonly (readonly [string, string, Grow, number])[]) {
    test(`${name}: ${title}`, () => {
      const builtin = HOST_BUILTINS.get(name) ?? assert.fail(`no built-in ${name}`);
      assert.ok(growth((size) => own(builtin, grow(size))) >= least * 0.98);
    });
  }
  test('semver: numbers over 63 bits are not read', () => {
    const versions = [`${long(30)}.0.0`, '9223372036854775808.0.0', '9223372036854775807.0.0'];
    assert.deepEqual(
      versions.map((version) => call('semver.is_valid', [str(version)])),
      [bool(false), bool(false), bool(true)],
    );
    assert.deepEqual(call('semver.compare', [str(`1.0.0-${long(30)}`), str(`1.0.0-${long(19)}.1`)]), num(-1));
  });
});
