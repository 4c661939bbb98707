import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../src/core/policy/builtin.ts';
import { regoText } from '../../src/core/policy/builtins/go-value.ts';
import { arr, num, str } from '../../src/core/policy/term.ts';
import { FREE, call } from '../support/builtin-call.ts';
import { term } from '../support/json-builtin.ts';
import {
  TOKEN_ALGORITHMS,
  keyConstraint,
  part,
  privateJwk,
  publicJwk,
  token,
  tokenKey,
  verifier,
} from '../support/jwt.ts';
import { needsNativeOpa } from '../support/native-opa.ts';
import { opaAnswers } from '../support/opa-calls.ts';
import type { OpaCall } from '../support/opa-calls.ts';
import { extension, generalName } from '../support/pki-certificate.ts';
import { createAuthority } from '../support/pki.ts';
import type { CertificateOptions } from '../support/pki.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SEED = 20_261_121;
const HOUR = 3_600_000;
const SECOND = 1_000_000_000n;

function ours({ name, args }: OpaCall): string {
  try {
    return regoText(arr([call(name, args, { ...FREE, nowNs: () => `${BigInt(Date.now()) * 1_000_000n}` })]));
  } catch (problem) {
    if (problem instanceof BuiltinError) return '[]';
    throw problem;
  }
}

/** Every call is answered as OPA answers it. */
async function agree(context: TestContext, calls: readonly OpaCall[]): Promise<void> {
  const answers = await opaAnswers(await tempFolder(context), calls);
  const differing = calls.flatMap((one, index) => {
    const [theirs = '', mine] = [answers[index], ours(one)];
    return mine === theirs ? [] : [{ call: `${one.name}(${one.args.map(regoText).join(', ')})`, theirs, mine }];
  });
  const defined = answers.filter((text) => text !== '[]').length;
  context.diagnostic(
    `${calls.length - differing.length} of ${calls.length} answers agree, ${defined} of them are defined`,
  );
  assert.deepEqual(differing.slice(0, 3), []);
}

function sampled<T>(arbitrary: fc.Arbitrary<T>, count: number): T[] {
  return fc.sample(arbitrary, { numRuns: count, seed: SEED });
}

function calls(name: string, ...operands: readonly (readonly unknown[])[]): OpaCall[] {
  return operands.map((values) => ({ name, args: values.map(term) }));
}

const zone = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'America/St_Johns',
  'Africa/Cairo',
  'America/Sao_Paulo',
);
const since1972 = fc.bigInt({ min: 2n * 31_536_000n, max: 2_000_000_000n });
const nanos = fc.constantFrom(0n, 1n, 500_000_000n, 123_456_789n, 120_000_000n);
const moment = fc.tuple(since1972, nanos).map(([seconds, rest]) => seconds * SECOND + rest);
const fields = fc.constantFrom(
  'January',
  'Jan',
  '1',
  '01',
  'Monday',
  'Mon',
  '2',
  '_2',
  '02',
  '__2',
  '002',
  '15',
  '3',
  '03',
  '4',
  '04',
  '5',
  '05',
  '2006',
  '06',
  'PM',
  'pm',
  'Z0700',
  'Z070000',
  'Z07',
  'Z07:00',
  'Z07:00:00',
  '-0700',
  '-070000',
  '-07',
  '-07:00',
  '-07:00:00',
  '.000',
  '.999',
  ',000000',
  '.999999999',
  ' ',
  '-',
  ':',
  'T',
  'x',
  '  ',
  'Month',
  '_2006',
);
const layout = fc.oneof(
  fc.array(fields, { maxLength: 8 }).map((parts) => parts.join('')),
  fc.constantFrom(
    'ANSIC',
    'UnixDate',
    'RubyDate',
    'RFC822',
    'RFC822Z',
    'RFC850',
    'RFC1123',
    'RFC1123Z',
    'RFC3339',
    'RFC3339Nano',
    '',
  ),
);

test('time.format, time.add_date and time.diff', needsNativeOpa, async (context) => {
  const shown = fc.tuple(moment, zone, layout).map(([ns, where, text]) => ({
    name: 'time.format',
    args: [arr([num(ns), str(where), str(text)])],
  }));
  const small = fc.integer({ min: -900, max: 900 });
  const moved = fc.tuple(moment, zone, small, small, small).map(([ns, where, years, months, days]) => ({
    name: 'time.add_date',
    args: [arr([num(ns), str(where)]), num(Math.trunc(years / 20)), num(months), num(days)],
  }));
  const apart = fc
    .tuple(moment, zone, moment)
    .map(([ns, where, other]) => ({ name: 'time.diff', args: [arr([num(ns), str(where)]), num(other)] }));
  await agree(context, [...sampled(shown, 900), ...sampled(moved, 300), ...sampled(apart, 300)]);
});

test('time.parse_ns reads what time.format wrote, whole or damaged', needsNativeOpa, async (context) => {
  const damage = fc.tuple(
    fc.constantFrom('', '', ' ', '9', '.', 'Z', '+', 'a', 'UTC', 'GMT+3', 'CET'),
    fc.nat(40),
    fc.nat(2),
  );
  const cases = fc.tuple(layout, moment, damage).map(([text, ns, [insert, at, cut]]) => {
    const written = call('time.format', [arr([num(ns), str('UTC'), str(text)])]);
    const value = written.kind === 'string' ? written.value : '';
    const damaged = insert === '' ? value : value.slice(0, at) + insert + value.slice(at + cut);
    return { name: 'time.parse_ns', args: [str(text === '' ? 'RFC3339Nano' : text), str(damaged)] };
  });
  await agree(context, sampled(cases, 1500));
});

test(
  'io.jwt: tokens of all algorithms, headers and claims, with right and wrong keys, whole or damaged',
  needsNativeOpa,
  async (context) => {
    const alg = fc.constantFrom(...TOKEN_ALGORITHMS);
    const claims = fc.constantFrom<unknown>(
      {},
      { exp: 1700 },
      { exp: 1700.5 },
      { nbf: 1700 },
      { nbf: 1701 },
      { aud: 'a' },
      { aud: ['b', 'a'] },
      { iss: 'i' },
      { exp: 'x' },
      '[]',
      '"x"',
    );
    const extra = fc.constantFrom<object>(
      {},
      {},
      {},
      { kid: 'k' },
      { crit: ['x'], x: 1 },
      { crit: ['alg'] },
      { crit: [] },
      { typ: 'JWT' },
      { cty: 'x' },
      { enc: 'x' },
      { alg: 'none' },
      { alg: 'HS256' },
      { kid: 5 },
    );
    const demanded = fc.constantFrom<object>({}, {}, {}, { aud: 'a' }, { iss: 'i' }, { alg: 'ES256' }, { x: 1 });
    const damage = fc.tuple(fc.constantFrom('', '', '', '', '', 'A', '=', '.', '\n', '-'), fc.nat(400));
    const keyForm = fc.nat(5);
    const cases = fc
      .tuple(alg, alg, claims, extra, demanded, damage, keyForm)
      .map(([one, other, payload, header, demands, [insert, at], form]) => {
        const whole = token(one, payload, { alg: one, ...header });
        const text = insert === '' ? whole : whole.slice(0, at) + insert + whole.slice(at + 1);
        const key = tokenKey(form === 0 ? other : one);
        const jwk = JSON.stringify(
          form === 1 ? { keys: [publicJwk(tokenKey(other)), { ...publicJwk(key), kid: 'k' }] } : publicJwk(key),
        );
        const cert = form <= 2 && typeof key !== 'string' ? { cert: jwk } : keyConstraint(key);
        return [
          ...calls('io.jwt.decode_verify', [text, { time: 1_700_000_000_000, ...cert, ...demands }]),
          ...calls(`io.jwt.verify_${one.toLowerCase()}`, [
            text,
            typeof key === 'string' || form > 2 ? verifier(key) : jwk,
          ]),
          ...calls('io.jwt.decode', [text]),
        ];
      });
    await agree(context, sampled(cases, 500).flat());
  },
);

test('io.jwt.encode_sign: algorithms without randomness give the same signature', needsNativeOpa, async (context) => {
  const operands = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'EdDSA'].flatMap((alg) =>
    [{}, { typ: 'JWT', x: '<&>' }, { alg: 'none' }, { alg: 'ES256' }].flatMap((header) =>
      [privateJwk(tokenKey(alg)), { keys: [privateJwk(tokenKey(alg))] }, { keys: [] }].map((key) => [
        { alg, ...header },
        { b: [1, 2.5], a: '\u2028' },
        key,
      ]),
    ),
  );
  const raw = operands.map(([header, , key]) => [JSON.stringify(header), part('x'), JSON.stringify(key)]);
  await agree(context, [...calls('io.jwt.encode_sign', ...operands), ...calls('io.jwt.encode_sign_raw', ...raw)]);
});

test('crypto.x509: certificates, whole or with changed bytes', needsNativeOpa, async (context) => {
  const root = createAuthority();
  const made = (['p256', 'p384', 'p521', 'p224', 'ed25519', 'rsa2048'] as const).map(
    (keyKind) =>
      root.issue({
        keyKind,
        subject: 'A name',
        uris: ['http://u@a.example:8/b%20c?d#e', 'spiffe://a/b c'],
        dnsNames: ['a', '*.b'],
      }).der,
  );
  const changed = fc
    .tuple(fc.constantFrom(...made), fc.nat(2000), fc.integer({ min: 1, max: 255 }))
    .map(([bytes, at, mask]) => {
      const copy = Buffer.from(bytes);
      copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ mask;
      return copy;
    });
  const texts = [...made, ...sampled(changed, 600)].map((bytes) => [Buffer.from(bytes).toString('base64')]);
  await agree(context, calls('crypto.x509.parse_certificates', ...texts));
});

function constraint(permitted: readonly string[], excluded: readonly string[]): CertificateOptions {
  return {
    extensions: [
      extension.nameConstraints(
        permitted.map((name) => generalName.dns(name)),
        excluded.map((name) => generalName.dns(name)),
      ),
    ],
  };
}

test('crypto.x509: chains of every kind of fault', needsNativeOpa, async (context) => {
  const past = { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) };
  const faults: CertificateOptions[] = [
    {},
    past,
    { cA: false },
    { cA: null },
    { pathLength: 0 },
    { keyUsage: ['digitalSignature'] },
    { keyUsage: null },
    { digest: 'sha1' },
    { breakSignature: true },
    { authorityKeyId: null },
    constraint(['a.org'], []),
    constraint([], ['a.org']),
    constraint(['.a.org'], ['b.a.org']),
  ];
  const names = [['a.org'], ['*.a.org'], ['b.a.org', 'a.org'], []];
  const root = createAuthority({ uris: [] });
  const list = faults.flatMap((fault) =>
    names.flatMap((dnsNames) => {
      const middle = root.intermediate({ uris: [], ...fault });
      const leaf = middle.issue({ subject: 'leaf', uris: [], dnsNames });
      const text = root.bundlePem + middle.certificate.certPem + leaf.certPem;
      const options = [{}, { DNSName: 'b.a.org' }, { KeyUsages: ['KeyUsageAny'], CurrentTime: 0 }, { Other: 1 }];
      return [
        ...calls('crypto.x509.parse_and_verify_certificates', [text]),
        ...calls('crypto.x509.parse_and_verify_certificates_with_options', ...options.map((one) => [text, one])),
      ];
    }),
  );
  await agree(context, list);
});

test('providers.aws.sign_req and private keys', needsNativeOpa, async (context) => {
  const config = { aws_access_key: 'a', aws_secret_access_key: 'b', aws_service: 's3', aws_region: 'c' };
  const requests = [
    { method: 'get', url: 'http://h/a b?c' },
    { method: 'PUT', url: 'https://h:1/%2f', headers: { A: 'b' }, body: { z: 1, a: '<' } },
    { method: 'x' },
    { method: 'get', url: ':' },
  ];
  const signing = requests.flatMap((request) =>
    [config, { ...config, aws_service: 'ec2', aws_session_token: 't' }, {}].map((one): [object, object, bigint] => [
      request,
      one,
      1_451_311_705n * SECOND,
    ]),
  );
  const keys = TOKEN_ALGORITHMS.flatMap((alg) => {
    const key = tokenKey(alg);
    return typeof key === 'string' ? [] : [[key.privateKey.export({ type: 'pkcs8', format: 'pem' })]];
  });
  await agree(context, [
    ...calls('providers.aws.sign_req', ...signing),
    ...calls('crypto.parse_private_keys', ...keys),
    ...calls('crypto.x509.parse_rsa_private_key', ...keys),
  ]);
});
