import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { HOST_BUILTINS } from '../../../../src/core/policy/builtins/table.ts';
import { limited } from '../../../support/builtin-call.ts';
import { answer } from '../../../support/json-builtin.ts';
import {
  TOKEN_ALGORITHMS,
  keyConstraint,
  part,
  privateJwk,
  publicJwk,
  token,
  tokenKey,
  verifier,
} from '../../../support/jwt.ts';

const REFUSED = [false, {}, {}];
const NOW = { time: 1_700_000_000_000_000_000n };

function verify(alg: string, text: string, key = verifier(tokenKey(alg))): unknown {
  return answer(`io.jwt.verify_${alg.toLowerCase()}`, [text, key]);
}

function decodeVerify(text: string, constraints: Record<string, unknown>): unknown {
  const { time = NOW.time, ...others } = constraints;
  const bare = JSON.stringify(others);
  const withTime = `${bare.slice(0, -1)}${bare === '{}' ? '' : ','}"time":${typeof time === 'string' ? JSON.stringify(time) : String(time)}}`;
  return answer('io.jwt.decode_verify', [text, JSON.parse(withTime)]);
}

describe('RFC 7515 5.2: a token verifies with the key that signed it, and with no other', () => {
  for (const alg of TOKEN_ALGORITHMS) {
    test(alg, () => {
      const text = token(alg, { sub: 'a' });
      assert.equal(verify(alg, text), true);
      assert.deepEqual(decodeVerify(text, keyConstraint(tokenKey(alg))), [true, { alg }, { sub: 'a' }]);
      const other = TOKEN_ALGORITHMS.filter((one) => one !== alg && tokenKey(one) !== tokenKey(alg));
      for (const one of other) assert.deepEqual(decodeVerify(text, keyConstraint(tokenKey(one))), REFUSED, one);
    });
  }

  test('a change of any character of a token is refused', () => {
    for (const alg of ['HS256', 'ES256', 'EdDSA', 'PS256', 'RS256']) {
      const text = token(alg, { sub: 'a', iss: 'b' });
      const step = alg.startsWith('H') ? 1 : 5;
      for (let at = 0; at < text.length; at += step) {
        if (text[at] === '.') continue;
        // The last character of a part may have bits that no byte needs, so one of the first bits of it is changed.
        const swapped = text[at] === 'A' || text[at] === 'B' || text[at] === 'C' || text[at] === 'D' ? 'z' : 'A';
        const bad = text.slice(0, at) + swapped + text.slice(at + 1);
        assert.notEqual(verify(alg, bad), true, `${alg} ${at}`);
        const judged = decodeVerify(bad, keyConstraint(tokenKey(alg)));
        assert.ok(judged === undefined || (judged as unknown[])[0] === false, `${alg} ${at}`);
      }
    }
  });
});

describe('RFC 8725 2.1: what a key is decides, never what a header says', () => {
  test('a public key is no secret of an HMAC', () => {
    for (const alg of ['RS256', 'ES256', 'EdDSA']) {
      const key = tokenKey(alg);
      for (const secret of [verifier(key), JSON.stringify(publicJwk(key))]) {
        const forged = token('HS256', {}, { alg: 'HS256' }, secret);
        assert.deepEqual(decodeVerify(forged, { cert: secret }), REFUSED);
      }
      assert.equal(answer('io.jwt.encode_sign', [{ alg: 'HS256' }, {}, publicJwk(key)]), undefined, alg);
    }
  });

  test('alg none has no signature to verify', () => {
    const bare = `${part({ alg: 'none' })}.${part({})}.`;
    assert.deepEqual(decodeVerify(bare, keyConstraint(tokenKey('ES256'))), REFUSED);
    assert.deepEqual(decodeVerify(bare, keyConstraint(tokenKey('HS256'))), REFUSED);
    assert.equal(verify('ES256', bare), false);
  });

  test('the constraint alg excludes every other one', () => {
    const text = token('RS256', {});
    const constraints = keyConstraint(tokenKey('RS256'));
    assert.deepEqual(decodeVerify(text, { ...constraints, alg: 'PS256' }), REFUSED);
    assert.deepEqual(decodeVerify(text, { ...constraints, alg: 'RS256' }), [true, { alg: 'RS256' }, {}]);
  });

  test('RSA below 1024 bits verifies nothing and signs nothing', () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 768 });
    assert.equal(verify('RS256', token('RS256', {}, { alg: 'RS256' }, small), verifier(small)), false);
    assert.equal(answer('io.jwt.encode_sign', [{ alg: 'RS256' }, {}, privateJwk(small)]), undefined);
  });
});

describe('keys: PEM, certificate, JWK and JWK sets', () => {
  const good = publicJwk(tokenKey('ES256'));
  const other = publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  const text = token('ES256', {}, { alg: 'ES256', kid: 'mine' });
  const cases: readonly (readonly [string, unknown, unknown])[] = [
    ['one JWK', good, true],
    ['a set', { keys: [other, good] }, true],
    ['the key of that name', { keys: [other, { ...good, kid: 'mine' }] }, true],
    ['another key of that name is the only one asked', { keys: [{ ...other, kid: 'mine' }, good] }, false],
    ['a key for another algorithm is not asked', { keys: [{ ...good, alg: 'ES384' }] }, false],
    ['a key for encryption is left out', { keys: [{ ...good, alg: 'ECDH-ES' }] }, false],
    ['an empty set', { keys: [] }, false],
    ['an unknown algorithm spoils the set', { keys: [{ ...good, alg: 'X' }, good] }, undefined],
    ['a key off its curve spoils the set', { keys: [good, { ...good, y: other.x }] }, undefined],
    ['a short coordinate', { ...good, x: 'AAAA' }, undefined],
    ['an unknown curve', { ...good, crv: 'secp256k1' }, undefined],
    ['no type', { ...good, kty: undefined }, undefined],
    ['a name that is no string', { ...good, kid: 5 }, undefined],
    ['too many keys', { keys: Array.from({ length: 1001 }, () => ({ kty: 'oct', k: 'AA' })) }, undefined],
    ['no key at all', {}, undefined],
    ['no object', [], undefined],
  ];
  for (const [title, keys, want] of cases) {
    test(title, () => assert.equal(verify('ES256', text, JSON.stringify(keys)), want));
  }

  test('a second block of PEM is one too many', () => {
    const pem = verifier(tokenKey('ES256'));
    assert.equal(verify('ES256', text, pem), true);
    assert.equal(verify('ES256', text, pem + pem), undefined);
    assert.equal(verify('ES256', text, pem.replaceAll('PUBLIC', 'PRIVATE')), undefined);
  });
});

describe('RFC 7519 4.1: claims', () => {
  const key = tokenKey('HS256');
  const now = 1_700_000_000;
  const judged = (payload: unknown, constraints: Record<string, unknown> = {}): unknown => {
    const result = decodeVerify(token('HS256', payload), { ...keyConstraint(key), ...constraints });
    return Array.isArray(result) ? result[0] : result;
  };
  const cases: readonly (readonly [string, unknown, Record<string, unknown>, unknown])[] = [
    ['exp in the future', { exp: now + 1 }, {}, true],
    ['exp now is over', { exp: now }, {}, false],
    ['exp is no number', { exp: 'soon' }, {}, undefined],
    ['nbf now has come', { nbf: now }, {}, true],
    ['nbf in the future', { nbf: now + 1 }, {}, false],
    ['nbf is no number', { nbf: null }, {}, undefined],
    ['iss as demanded', { iss: 'me' }, { iss: 'me' }, true],
    ['iss of another', { iss: 'you' }, { iss: 'me' }, false],
    ['iss missing', {}, { iss: 'me' }, false],
    ['iss is no string', { iss: 5 }, { iss: 'me' }, undefined],
    ['aud as demanded', { aud: 'me' }, { aud: 'me' }, true],
    ['aud among others', { aud: ['you', 'me'] }, { aud: 'me' }, true],
    ['aud of others', { aud: ['you'] }, { aud: 'me' }, false],
    ['aud missing', {}, { aud: 'me' }, false],
    ['aud though none is demanded', { aud: 'me' }, {}, false],
    ['an unknown constraint', {}, { sub: 'x' }, undefined],
    ['two kinds of key', {}, { cert: verifier(tokenKey('ES256')) }, undefined],
    ['a time below zero', {}, { time: -1 }, undefined],
    ['a time that is no number', {}, { time: 'now' }, undefined],
    ['a payload that is no object', '[1]', {}, undefined],
  ];
  for (const [title, payload, constraints, want] of cases) {
    test(title, () => assert.equal(judged(payload, constraints), want));
  }

  test('no key is an error, never an answer', () => {
    assert.equal(decodeVerify(token('HS256', {}), {}), undefined);
    assert.equal(decodeVerify(token('HS256', {}), { secret: '' }), undefined);
  });
});

describe('RFC 7515 4.1: header', () => {
  const key = keyConstraint(tokenKey('HS256'));
  const judged = (header: unknown): unknown => {
    const result = decodeVerify(token('HS256', {}, header), key);
    return Array.isArray(result) ? result[0] : result;
  };
  const cases: readonly (readonly [string, unknown, unknown])[] = [
    ['crit that is understood', { alg: 'HS256', crit: ['alg'] }, true],
    ['crit that is not', { alg: 'HS256', crit: ['b64'], b64: false }, false],
    ['crit of what is not there', { alg: 'HS256', crit: ['b64'] }, true],
    ['an empty crit', { alg: 'HS256', crit: [] }, undefined],
    ['crit that is no list', { alg: 'HS256', crit: 'b64' }, undefined],
    ['no alg', {}, false],
    ['alg that is no string', { alg: 5 }, undefined],
    ['an encrypted token', { alg: 'HS256', enc: 'A128GCM' }, undefined],
    ['no object', '[]', undefined],
    ['no JSON', 'x', undefined],
  ];
  for (const [title, header, want] of cases) test(title, () => assert.equal(judged(header), want));

  test('cty JWT: the token within is judged, with the same key', () => {
    const inner = token('HS256', { sub: 'inner' });
    const outer = token('HS256', inner, { alg: 'HS256', cty: 'JWT' });
    assert.deepEqual(decodeVerify(outer, key), [true, { alg: 'HS256' }, { sub: 'inner' }]);
    assert.deepEqual((answer('io.jwt.decode', [outer]) as unknown[])[1], { sub: 'inner' });
    const forged = token('HS256', token('HS256', {}, { alg: 'HS256' }, 'x'), { alg: 'HS256', cty: 'jwt' });
    assert.deepEqual(decodeVerify(forged, key), REFUSED);
  });
});

test('io.jwt.decode: three parts, of which the signature is hexadecimal', () => {
  const text = `${part({ alg: 'x' })}.${part('{"a":1,"a":2}')}.AQID`;
  assert.deepEqual(answer('io.jwt.decode', [text]), [{ alg: 'x' }, { a: 2 }, '010203']);
  for (const bad of ['', '.', 'a.b', 'a.b.c.d', `${text}!`, `${part({})}.${part({})}.A`, `${part({})}.x.AA`])
    assert.equal(answer('io.jwt.decode', [bad]), undefined, bad);
});

test('io.jwt.decode never throws anything but an error of its own', () => {
  const piece = fc.oneof(fc.string(), fc.json().map(part), fc.constantFrom('', 'e30', 'e30=', '====', 'AA\n'));
  fc.assert(
    fc.property(fc.array(piece, { minLength: 2, maxLength: 4 }), (pieces) => {
      for (const name of ['io.jwt.decode', 'io.jwt.verify_rs256', 'io.jwt.verify_hs256']) {
        const operands = [pieces.join('.'), verifier(tokenKey('RS256'))].slice(0, HOST_BUILTINS.get(name)?.arity);
        assert.notEqual(answer(name, operands), true);
      }
    }),
    { numRuns: 300 },
  );
});

describe('io.jwt.encode_sign: what is signed verifies', () => {
  for (const alg of TOKEN_ALGORITHMS) {
    test(alg, () => {
      const key = tokenKey(alg);
      const made = answer('io.jwt.encode_sign', [{ typ: 'JWT', alg }, { b: 1, a: '<' }, privateJwk(key)]);
      assert.ok(typeof made === 'string');
      assert.equal(verify(alg, made), true);
      // Keys are in order and `<` is escaped, as Go's JSON is.
      assert.equal(Buffer.from(made.split('.')[1] ?? '', 'base64url').toString(), '{"a":"\\u003c","b":1}');
      const raw = answer('io.jwt.encode_sign_raw', [
        `{"alg":"${alg}","typ":"x"}`,
        'no JSON',
        JSON.stringify(privateJwk(key)),
      ]);
      assert.equal(verify(alg, String(raw)), true);
    });
  }

  test('what is missing or does not fit is an error', () => {
    const key = privateJwk(tokenKey('ES256'));
    for (const operands of [
      [{ alg: 'none' }, {}, key],
      [{}, {}, key],
      [{ alg: 'RS256' }, {}, key],
      [{ alg: 'ES256' }, {}, publicJwk(tokenKey('ES256'))],
      [{ alg: 'ES256' }, {}, { keys: [] }],
    ])
      assert.equal(answer('io.jwt.encode_sign', operands), undefined, JSON.stringify(operands[0]));
    for (const typ of ['', ',"typ":"JWT"', ',"typ":5'])
      assert.equal(
        answer('io.jwt.encode_sign_raw', [`{"alg":"ES256"${typ}}`, 'no JSON', JSON.stringify(key)]),
        undefined,
      );
  });

  test('RSA keys whose parts do not belong together are refused', () => {
    const key = privateJwk(tokenKey('RS256'));
    const { dp: _dp, dq: _dq, qi: _qi, ...least } = key;
    assert.equal(typeof answer('io.jwt.encode_sign', [{ alg: 'RS256' }, {}, least]), 'string');
    for (const change of [{ d: 'AQAB' }, { p: key.q }, { dp: 'AQAB' }, { qi: 'AQAB' }, { n: 'AQAB' }])
      assert.equal(answer('io.jwt.encode_sign', [{ alg: 'RS256' }, {}, { ...key, ...change }]), undefined);
  });
});

test('ES256: decode_verify takes r and s in full length only; verify_es256 reads two halves, as OPA', () => {
  const text = token('ES256', {});
  const [header = '', payload = '', signature = ''] = text.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  const padded = Buffer.concat([Buffer.alloc(1), bytes.subarray(0, 32), Buffer.alloc(1), bytes.subarray(32)]);
  for (const [raw, lenient] of [
    [padded, true],
    [bytes.subarray(0, 63), false],
    [Buffer.alloc(64), false],
    [Buffer.alloc(0), false],
    [Buffer.alloc(200, 0xff), false],
  ] as const) {
    const one = `${header}.${payload}.${raw.toString('base64url')}`;
    assert.equal(verify('ES256', one), lenient);
    assert.deepEqual(decodeVerify(one, keyConstraint(tokenKey('ES256'))), REFUSED);
  }
});

test('verifying and signing are paid for', () => {
  const keys = JSON.stringify({ keys: Array.from({ length: 100 }, () => publicJwk(tokenKey('RS256'))) });
  const text = `${token('RS256', {}).split('.', 2).join('.')}.${Buffer.alloc(256, 1).toString('base64url')}`;
  assert.throws(() => answer('io.jwt.verify_rs256', [text, keys], limited(200_000_000)), EvaluationHalt);
  const signing = [{ alg: 'RS256' }, {}, privateJwk(tokenKey('RS256'))];
  assert.throws(() => answer('io.jwt.encode_sign', signing, limited(100_000_000)), EvaluationHalt);
  assert.equal(typeof answer('io.jwt.encode_sign', signing, limited(200_000_000)), 'string');
});

test('tokens and signatures whose answers time or chance decide are never cached', () => {
  for (const name of ['io.jwt.decode_verify', 'io.jwt.encode_sign', 'io.jwt.encode_sign_raw'])
    assert.equal(HOST_BUILTINS.get(name)?.nondeterministic, true, name);
});
