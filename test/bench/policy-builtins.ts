import { createHmac } from 'node:crypto';

import { ENTRYPOINT, compileRules, load } from '../support/policy-host.ts';
import { microseconds, race, table } from './policy-clock.ts';

/** Policy code of which the steps are what others are measured by. */
const SEARCH = 'count([1 | some a in numbers.range(1, 12); some b in numbers.range(1, 12); a + b < 0])';
const CALLS = 20;

const SECRET = 'a key of thirty-two bytes or more';
const TOKEN = [
  { alg: 'HS256', typ: 'JWT' },
  { sub: 'ann', aud: ['a', 'b'], exp: 1_900_000_000 },
]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.');
const SIGNED = `${TOKEN}.${createHmac('sha256', SECRET).update(TOKEN).digest('base64url')}`;

/** One call each, of the text `x` that differs from call to call, or of the input. */
const CALLED: Readonly<Record<string, string>> = {
  'sprintf, short': 'sprintf("%s may %d of %v", [x, 7, {"a"}])',
  'sprintf, 1,000 characters': 'sprintf("%1000s", [x])',
  'regex.replace, short': 'regex.replace(x, "[0-9]+", "n")',
  'regex.replace, 2,000 characters': 'regex.replace(concat("", [input.long, x]), "[0-9]+", "n")',
  'regex.find_n, 2,000 characters': 'regex.find_n("[a-z]+", concat("", [input.long, x]), -1)',
  'io.jwt.decode': 'io.jwt.decode(input.token)',
  'io.jwt.verify_hs256': 'io.jwt.verify_hs256(input.token, input.secret)',
  'time.format': 'time.format([1700000000000000000 + count(x), "Europe/Berlin"])',
  'time.parse_rfc3339_ns': 'time.parse_rfc3339_ns("2026-01-02T03:04:05Z")',
  'crypto.sha256': 'crypto.sha256(x)',
  'crypto.sha256, 2,000 characters': 'crypto.sha256(concat("", [input.long, x]))',
  'hex.encode': 'hex.encode(x)',
  'urlquery.decode_object': 'urlquery.decode_object("a=1&b=2&a=3")',
  'json.patch': 'json.patch({"a": [1, 2], "x": x}, [{"op": "add", "path": "/a/1", "value": 9}])',
  'object.subset': 'object.subset({"a": {"b": 1}, "x": x}, {"a": {"b": 1}})',
  'yaml.unmarshal': 'yaml.unmarshal("a: [1, 2]\\nb: {c: d}")',
  'net.cidr_expand, 256 addresses': 'net.cidr_expand("192.0.2.0/24")',
  'semver.compare': 'semver.compare("1.2.3", "1.2.4-rc.1")',
  'units.parse_bytes': 'units.parse_bytes("10MiB")',
  'uuid.parse': 'uuid.parse("00000000-0000-4000-8000-000000000000")',
  'graph.reachable_paths': 'graph.reachable_paths({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, ["a"])',
  'strings.any_prefix_match': 'strings.any_prefix_match(x, ["a", "b", "c"])',
};

const INPUT = { long: 'word 123 '.repeat(222), token: SIGNED, secret: SECRET };

/** Time of a call for each step that it is charged, against that of a search in the same rounds: over 3 it is charged too little. */
export async function builtinCosts(): Promise<void> {
  const rows: (readonly (string | number)[])[] = [];
  const [none, search] = [await asking('x'), await asking(SEARCH)];
  for (const [name, call] of Object.entries(CALLED)) {
    const calls = await asking(call);
    const [full, empty, policy] = race([calls, none, search], 5);
    const ns = ((full?.ns ?? 0) - (empty?.ns ?? 0)) / CALLS;
    const steps = (calls.steps - none.steps) / CALLS;
    const short = ns / steps / ((policy?.ns ?? 0) / search.steps);
    rows.push([name, microseconds(ns), Math.round(steps), short.toFixed(2), short > 3 ? 'too little' : '']);
  }
  console.log('\n## Host built-ins: a call among twenty, with its arguments, and what it is charged');
  table(['built-in', 'us a call', 'steps', 'x policy code of as many steps', ''], rows);
}

async function asking(call: string): Promise<{ name: string; steps: number; run: () => unknown }> {
  const rule = `d := [v | some i in numbers.range(1, ${CALLS}); x := concat("", ["a", format_int(i, 10)]); v := ${call}]`;
  const policy = load(await compileRules(rule), { budget: 2 ** 31 - 1 });
  const first = policy.query(ENTRYPOINT, INPUT);
  if (first.kind !== 'defined') throw new Error(`${call}: ${JSON.stringify(first)}`);
  if ((first.value as unknown[]).length !== CALLS) throw new Error(`${call}: ${JSON.stringify(first).slice(0, 500)}`);
  return { name: call, steps: first.steps, run: () => policy.query(ENTRYPOINT, INPUT) };
}
