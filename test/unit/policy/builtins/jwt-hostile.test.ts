import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, sign } from 'node:crypto';
import { describe, test } from 'node:test';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { HOST_BUILTINS } from '../../../../src/core/policy/builtins/table.ts';
import { str } from '../../../../src/core/policy/term.ts';
import { FREE, call, limited } from '../../../support/builtin-call.ts';
import { answer, term } from '../../../support/json-builtin.ts';
import { keyConstraint, part, privateJwk, publicJwk, token, tokenKey, verifier } from '../../../support/jwt.ts';
import { within } from '../../../support/within.ts';

const REFUSED = [false, {}, {}];
const TIME = 1_700_000_000_000_000_000;
const BUDGET = 200_000_000;

function judged(text: string, constraints: object): unknown {
  const result = answer('io.jwt.decode_verify', [text, { time: TIME, ...constraints }]);
  return Array.isArray(result) ? result[0] : result;
}

function signatureOf(text: string): Buffer {
  return Buffer.from(text.split('.')[2] ?? '', 'base64url');
}

function withSignature(text: string, signature: Uint8Array | string): string {
  const shown = typeof signature === 'string' ? signature : Buffer.from(signature).toString('base64url');
  return `${text.split('.', 2).join('.')}.${shown}`;
}

const message = (name: string, operands: readonly unknown[]): string => {
  try {
    call(
      name,
      operands.map((one) => (typeof one === 'string' ? str(one) : term(one))),
    );
  } catch (problem) {
    assert.ok(problem instanceof BuiltinError, String(problem));
    return problem.message;
  }
  return '';
};

const decoded = (header: string, payload: string | Uint8Array, context = FREE): unknown =>
  answer('io.jwt.decode', [`${part(header)}.${Buffer.from(payload as string).toString('base64url')}.AA`], context);

const integer = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([2, 33, 0]), bytes]);

describe('RFC 8725 3.1, 3.2: algorithms are not confused', () => {
  const es = tokenKey('ES256');
  const rs = tokenKey('RS256');

  test('none in any spelling, with and without a signature', () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', ' none'])
      for (const signature of ['', signatureOf(token('ES256', {}))])
        for (const constraints of [keyConstraint(es), keyConstraint(tokenKey('HS256'))])
          assert.equal(judged(withSignature(`${part({ alg })}.${part({})}.`, signature), constraints), false, alg);
  });

  test('an algorithm in another case is another algorithm', () => {
    for (const alg of ['es256', 'Es256', 'ES256 ', 'eddsa', 'constructor', '__proto__'])
      assert.equal(judged(token('ES256', {}, { alg }), keyConstraint(es)), false, alg);
  });

  test('a key is used with its own kind of algorithm only, in a set of all kinds', () => {
    const keys = [rs, es, tokenKey('EdDSA'), 'a shared secret'];
    const set = JSON.stringify({ keys: keys.map(publicJwk) });
    for (const [alg, key] of [
      ['RS256', rs],
      ['PS256', rs],
      ['ES256', es],
      ['EdDSA', tokenKey('EdDSA')],
      ['HS256', 'a shared secret'],
    ] as const) {
      assert.equal(judged(token(alg, {}, { alg }, key), { cert: set }), true, alg);
      for (const name of ['RS512', 'PS512', 'ES384', 'HS512', 'EdDSA'].filter((one) => one !== alg))
        assert.equal(judged(token(alg, {}, { alg: name }, key), { cert: set }), false, `${alg} called ${name}`);
    }
  });

  test('the public key of a set is no secret of an HMAC, in any form that an attacker knows', () => {
    const jwk = publicJwk(rs);
    const set = JSON.stringify({ keys: [jwk] });
    for (const secret of [set, JSON.stringify(jwk), verifier(rs), verifier(rs).trim(), jwk.n ?? ''])
      for (const alg of ['HS256', 'HS384', 'HS512'])
        for (const cert of [set, verifier(rs)]) assert.equal(judged(token(alg, {}, { alg }, secret), { cert }), false);
  });

  test('a key that is no secret is not the empty secret either', () => {
    const forged = token('HS256', {}, { alg: 'HS256' }, '');
    for (const cert of [verifier(rs), JSON.stringify(publicJwk(es))]) assert.equal(judged(forged, { cert }), false);
  });

  test('a secret is not read as a key', () => {
    const pem = verifier(rs);
    assert.equal(judged(token('RS256', {}), { secret: pem }), false);
    assert.equal(judged(token('HS256', {}, { alg: 'HS256' }, pem), { secret: pem }), true);
  });

  test('a token signed with one curve does not verify with the other', () => {
    assert.equal(judged(token('ES384', {}, { alg: 'ES256' }), keyConstraint(tokenKey('ES384'))), false);
    assert.equal(judged(token('ES256', {}, { alg: 'ES384' }), keyConstraint(es)), false);
  });

  test('Ed25519 is a name of EdDSA in decode_verify, and a key that says so serves it', () => {
    const key = tokenKey('EdDSA');
    assert.equal(judged(token('EdDSA', {}, { alg: 'Ed25519' }), keyConstraint(key)), true);
    assert.equal(judged(token('EdDSA', {}, { alg: 'Ed448' }), keyConstraint(key)), false);
  });
});

describe('RFC 7517 4: what a JWK says of itself', () => {
  const good = publicJwk(tokenKey('ES256'));
  const text = token('ES256', {}, { alg: 'ES256', kid: 'a' });
  const other = publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  const cases: readonly (readonly [string, unknown, unknown])[] = [
    ['use and key_ops are read over, as OPA does', { ...good, use: 'enc', key_ops: ['encrypt'] }, true],
    ['key_ops that is no list', { ...good, key_ops: 'verify' }, undefined],
    ['key_ops with a number', { ...good, key_ops: [1] }, undefined],
    ['x5c that is no list', { ...good, x5c: 'x' }, undefined],
    ['use that is no text', { ...good, use: 1 }, undefined],
    ['a null kid is none', { ...good, kid: null }, true],
    [
      'the first of two keys of that name is asked alone',
      {
        keys: [
          { ...other, kid: 'a' },
          { ...good, kid: 'a' },
        ],
      },
      false,
    ],
    ['a kid in another case is another', { keys: [{ ...other, kid: 'A' }, good] }, true],
    [
      'a key of that name for another algorithm is still the one',
      { keys: [{ ...good, kid: 'a', alg: 'RS256' }, other] },
      true,
    ],
    ['a key without a name serves where no name fits', { keys: [{ ...other, kid: 'b' }, good] }, true],
    ['an alg of none is left out', { keys: [{ ...good, alg: 'none' }] }, false],
    ['keys that is no list', { keys: good }, undefined],
    ['a key that is no object', { keys: [good, 5] }, undefined],
    ['padding in a coordinate', { ...good, x: `${good.x}=` }, true],
    [
      'a coordinate in the older alphabet',
      { ...good, x: Buffer.from(good.x ?? '', 'base64url').toString('base64') },
      true,
    ],
    [
      'a coordinate with a zero byte before it',
      { ...good, x: Buffer.concat([Buffer.alloc(1), Buffer.from(good.x ?? '', 'base64url')]).toString('base64url') },
      undefined,
    ],
    ['an empty secret spoils the set', { keys: [good, { kty: 'oct', k: '' }] }, undefined],
    ['P-224 has no JWK', { ...good, crv: 'P-224' }, undefined],
    ['a type in another case', { ...good, kty: 'ec' }, undefined],
    ['RSA with an even exponent', { kty: 'RSA', n: good.x, e: 'Ag' }, undefined],
    ['RSA with no modulus', { kty: 'RSA', n: '', e: 'AQAB' }, undefined],
    ['RSA with an exponent of 64 bits', { kty: 'RSA', n: good.x, e: 'gAAAAAAAAAE' }, undefined],
    ['Ed25519 of 31 bytes', { kty: 'OKP', crv: 'Ed25519', x: part('x'.repeat(31)) }, undefined],
    ['an octet key pair of another curve', { kty: 'OKP', crv: 'Ed448', x: part('x'.repeat(57)) }, undefined],
  ];
  for (const [title, jwk, want] of cases)
    test(title, () => assert.equal(answer('io.jwt.verify_es256', [text, JSON.stringify(jwk)]), want));

  test('of equal members the last counts, in keys and headers, as in Go', () => {
    const twice = `{"x":${JSON.stringify(other.x)},${JSON.stringify(good).slice(1)}`;
    assert.equal(answer('io.jwt.verify_es256', [text, twice]), true);
    const key = keyConstraint(tokenKey('HS256'));
    assert.equal(judged(token('HS256', {}, '{"alg":"none","alg":"HS256"}'), key), true);
    assert.equal(judged(token('HS256', {}, '{"alg":"HS256","alg":"none"}'), key), false);
    assert.equal(judged(token('HS256', '{"exp":1,"exp":9999999999}'), key), true);
    assert.equal(judged(token('HS256', '{"exp":9999999999,"exp":1}'), key), false);
  });

  test('names of an object\u2019s own kind are members like others', () => {
    const key = keyConstraint(tokenKey('HS256'));
    assert.equal(
      judged(token('HS256', '{"__proto__":{"exp":1}}', '{"alg":"HS256","__proto__":{"crit":["x"]}}'), key),
      true,
    );
    assert.equal(judged(token('HS256', '{"constructor":1}', '{"__proto__":{"alg":"HS256"}}'), key), false);
  });
});

describe('signatures are not malleable where RFC 7518 is asked for', () => {
  test('HMAC: shorter, longer and empty ones', () => {
    const text = token('HS256', {});
    const mac = signatureOf(text);
    for (const wrong of [
      Buffer.alloc(0),
      mac.subarray(0, 31),
      Buffer.concat([mac, Buffer.alloc(1)]),
      mac.map((byte) => byte ^ 1),
    ]) {
      assert.equal(answer('io.jwt.verify_hs256', [withSignature(text, wrong), 'secret of HS256']), false);
      assert.equal(judged(withSignature(text, wrong), keyConstraint(tokenKey('HS256'))), false);
    }
  });

  test('RSA: with zeros before it, or cut', () => {
    for (const alg of ['RS256', 'PS256']) {
      const text = token(alg, {});
      const signature = signatureOf(text);
      for (const wrong of [Buffer.concat([Buffer.alloc(1), signature]), signature.subarray(1), Buffer.alloc(0)]) {
        assert.equal(
          answer(`io.jwt.verify_${alg.toLowerCase()}`, [withSignature(text, wrong), verifier(tokenKey(alg))]),
          false,
        );
        assert.equal(judged(withSignature(text, wrong), keyConstraint(tokenKey(alg))), false);
      }
    }
  });

  test('RFC 7518 3.5: the salt of PSS is as long as the hash; io.jwt.verify_ps* takes any, as OPA', () => {
    const text = token('PS256', {});
    const key = tokenKey('PS256');
    assert.ok(typeof key !== 'string');
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const short = sign('sha256', Buffer.from(text.split('.', 2).join('.')), {
      key: key.privateKey,
      padding,
      saltLength: 8,
    });
    assert.equal(judged(withSignature(text, short), keyConstraint(key)), false);
    assert.equal(answer('io.jwt.verify_ps256', [withSignature(text, short), verifier(key)]), true);
  });

  test('ECDSA with bytes behind r and s', () => {
    const text = token('ES256', {});
    const longer = Buffer.concat([signatureOf(text), Buffer.alloc(2)]);
    assert.equal(judged(withSignature(text, longer), keyConstraint(tokenKey('ES256'))), false);
  });

  test('ECDSA in DER instead of r and s', () => {
    const text = token('ES256', {});
    const raw = signatureOf(text);
    const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
    assert.equal(
      judged(
        withSignature(text, Buffer.concat([Buffer.from([0x30, body.length]), body])),
        keyConstraint(tokenKey('ES256')),
      ),
      false,
    );
  });

  test('what is signed are the characters of header and payload, not what they mean', () => {
    const text = token('HS256', {});
    const [header = '', payload = '', signature = ''] = text.split('.');
    const key = keyConstraint(tokenKey('HS256'));
    for (const [one, other] of [
      [`${header}=`, payload],
      [`${header}\n`, payload],
      [header, `${payload}\r`],
      [part('{ "alg":"HS256"}'), payload],
    ] as const)
      assert.notEqual(judged(`${one}.${other}.${signature}`, key), true);
  });
});

describe('RFC 7519 2, NumericDate: times are compared with all of their digits', () => {
  const key = keyConstraint(tokenKey('HS256'));
  const cases: readonly (readonly [string, unknown])[] = [
    ['{"exp":1700000000.5}', true],
    ['{"exp":1700000000.0}', false],
    ['{"exp":17e8}', false],
    ['{"exp":1e400}', true],
    ['{"exp":-1e400}', false],
    ['{"exp":1e-400}', false],
    ['{"exp":1e1000000}', undefined],
    ['{"exp":-1E+1000000}', undefined],
    ['{"exp":1e-1000000}', undefined],
    ['{"nbf":1e400}', false],
    ['{"nbf":0.1e1000000}', undefined],
    ['{"nbf":1700000000.1}', false],
    ['{"nbf":-5}', true],
    ['{"exp":true}', undefined],
    ['{"exp":null}', undefined],
    ['{"aud":[]}', false],
    ['{"aud":[1,null]}', false],
    ['{"aud":{"x":1}}', false],
    ['{"aud":""}', true],
  ];
  for (const [payload, want] of cases) test(payload, () => assert.equal(judged(token('HS256', payload), key), want));

  test('the time is that of the decision where the policy gives none', () => {
    const context = { ...FREE, nowNs: () => '1700000000000000000' };
    const asked = (exp: number): unknown => answer('io.jwt.decode_verify', [token('HS256', { exp }), key], context);
    assert.equal((asked(1_700_000_001) as unknown[])[0], true);
    assert.deepEqual(asked(1_700_000_000), REFUSED);
  });
});

describe('RFC 7515 4.1.11: crit', () => {
  const key = keyConstraint(tokenKey('HS256'));
  for (const [crit, want] of [
    [['exp'], false],
    [['alg', 'exp'], false],
    [[1], undefined],
    [['alg', 1, 'exp'], true],
    [null, undefined],
    [{}, undefined],
  ] as const)
    test(JSON.stringify(crit), () =>
      assert.equal(judged(token('HS256', {}, { alg: 'HS256', crit, exp: 1 }), key), want),
    );
});

describe('a token that anybody may send takes what it is charged for', () => {
  const HUGE = 300_000;
  const cases: readonly (readonly [string, string, string | Uint8Array])[] = [
    ['quotes in a nested token', '{"cty":"JWT"}', `a${'"'.repeat(HUGE)}b`],
    ['bytes that are no text', '{"alg":"x"}', Buffer.alloc(HUGE, 0xff)],
    ['bytes that begin characters', '{"alg":"x"}', Buffer.alloc(HUGE, 0xf0)],
    ['points in a nested token', '{"cty":"JWT"}', '.'.repeat(HUGE)],
    ['brackets', '{"alg":"x"}', '['.repeat(HUGE)],
    ['a string that does not end', '{"alg":"x"}', `{"a":"${'\\"'.repeat(HUGE / 2)}`],
  ];
  for (const [title, header, payload] of cases)
    test(title, () => within(5_000, () => assert.equal(decoded(header, payload), undefined)));

  test('JSON of many values is paid for before it is read', () => {
    for (const payload of [`{"a":[${'0,'.repeat(20_000)}0]}`, `{"a":[${'{},'.repeat(10_000)}0]}`])
      assert.throws(() => decoded('{}', payload, limited(BUDGET)), EvaluationHalt);
    assert.throws(() => decoded(`{"a":[${'0,'.repeat(20_000)}0]}`, '{}', limited(BUDGET)), EvaluationHalt);
    const set = `{"keys":[],"a":[${'0,'.repeat(20_000)}0]}`;
    assert.throws(() => answer('io.jwt.verify_rs256', [token('RS256', {}), set], limited(BUDGET)), EvaluationHalt);
  });

  test('an ordinary token costs little', () => {
    const claims = { iss: 'https://issuer.example', sub: 'agent', aud: ['a', 'b'], exp: 2_000_000_000, scope: 'x y z' };
    const text = token('ES256', claims, { alg: 'ES256', kid: 'one', typ: 'JWT' });
    const set = JSON.stringify({ keys: [{ ...publicJwk(tokenKey('ES256')), kid: 'one' }] });
    assert.notEqual(answer('io.jwt.decode', [text], limited(2_000_000)), undefined);
    assert.equal(answer('io.jwt.verify_es256', [text, set], limited(10_000_000)), true);
  });

  test('a set of keys in PEM is paid for before it is looked at', () => {
    const text = token('RS256', {});
    assert.throws(
      () => answer('io.jwt.verify_rs256', [text, '\n-----END '.repeat(10_000)], limited(BUDGET)),
      EvaluationHalt,
    );
  });

  test('nesting that JSON allows is read, beyond it is an error', () => {
    assert.notEqual(decoded('{}', `{"a":${'['.repeat(500)}${']'.repeat(500)}}`), undefined);
    assert.equal(decoded('{}', `{"a":${'['.repeat(513)}${']'.repeat(513)}}`), undefined);
  });

  test('tokens within tokens are followed to the innermost', () => {
    let text = token('HS256', { deep: true });
    for (let depth = 0; depth < 12; depth += 1) text = token('HS256', text, { alg: 'HS256', cty: 'JWT' });
    assert.equal(judged(text, keyConstraint(tokenKey('HS256'))), true);
    assert.deepEqual((answer('io.jwt.decode', [text]) as unknown[])[1], { deep: true });
  });
});

describe('promise 10: no error tells of keys or tokens', () => {
  const secrets = ['SECRETSECRET', part('SECRETSECRET')];
  const es = privateJwk(tokenKey('ES256'));
  const cases: readonly (readonly [string, readonly unknown[]])[] = [
    ['io.jwt.decode', ['SECRETSECRET']],
    ['io.jwt.decode', [`${part('SECRETSECRET')}.${part('SECRETSECRET')}.AA`]],
    ['io.jwt.verify_hs256', [`SECRETSECRET.a.!`, 'SECRETSECRET']],
    ['io.jwt.verify_es256', [token('ES256', {}), 'SECRETSECRET']],
    ['io.jwt.verify_es256', [token('ES256', {}), JSON.stringify({ ...es, alg: 'SECRETSECRET' })]],
    ['io.jwt.verify_es256', [token('ES256', {}), JSON.stringify({ ...es, kty: 'SECRETSECRET' })]],
    ['io.jwt.decode_verify', [token('HS256', {}), { secret: 'SECRETSECRET', x: 'SECRETSECRET' }]],
    ['io.jwt.decode_verify', [token('HS256', {}), { secret: ['SECRETSECRET'] }]],
    ['io.jwt.encode_sign', [{ alg: 'SECRETSECRET' }, {}, es]],
    ['io.jwt.encode_sign', [{ alg: 'ES256' }, {}, { ...es, d: part('SECRETSECRET') }]],
    ['io.jwt.encode_sign_raw', ['SECRETSECRET', 'SECRETSECRET', 'SECRETSECRET']],
    ['crypto.x509.parse_keypair', ['SECRETSECRET', 'SECRETSECRET']],
    ['crypto.parse_private_keys', ['-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n']],
    [
      'providers.aws.sign_req',
      [{ method: 'GET', url: 'http://SECRETSECRET^/' }, { aws_secret_access_key: 'SECRETSECRET' }, 5],
    ],
  ];
  for (const [name, operands] of cases) {
    test(`${name} ${JSON.stringify(operands).length}`, () => {
      const text = message(name, operands);
      assert.notEqual(text, '');
      for (const secret of secrets) assert.ok(!text.includes(secret), text);
    });
  }

  test('calls with keys or tokens in them are confidential in the record', () => {
    assert.equal(HOST_BUILTINS.get('io.jwt.decode_verify')?.confidential, 'arguments');
    for (const name of ['io.jwt.encode_sign', 'io.jwt.encode_sign_raw'])
      assert.equal(HOST_BUILTINS.get(name)?.confidential, 'call');
  });
});

test('PS512 with an RSA key of 1024 bits, which is too short for it, is an error of its own', () => {
  const key = generateKeyPairSync('rsa', { modulusLength: 1024 });
  assert.equal(answer('io.jwt.encode_sign', [{ alg: 'PS512' }, {}, privateJwk(key)]), undefined);
  assert.equal(typeof answer('io.jwt.encode_sign', [{ alg: 'PS256' }, {}, privateJwk(key)]), 'string');
  assert.equal(
    answer('io.jwt.verify_ps512', [withSignature(token('RS256', {}), Buffer.alloc(128, 1)), verifier(key)]),
    false,
  );
});
