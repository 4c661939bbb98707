import { generateKeyPairSync } from 'node:crypto';

import { parseJson } from '../../src/core/policy/builtins/json-term.ts';
import { arr, num, str } from '../../src/core/policy/term.ts';
import type { Term } from '../../src/core/policy/term.ts';
import * as der from './der.ts';
import { part, privateJwk, publicJwk, token, tokenKey, verifier } from './jwt.ts';
import { extension, generalName } from './pki-certificate.ts';
import { createAuthority } from './pki.ts';

/** Whole numbers from 0 to below the bound. */
type Pick = (bound: number) => number;

const json = (value: unknown): Term => parseJson(JSON.stringify(value));

/** Good calls of the built-ins for tokens, keys, certificates, requests and times: the seeds from which mutations start. */
export function goodCalls(): readonly (readonly [string, readonly Term[]])[] {
  const [rs, es, ed] = [tokenKey('RS256'), tokenKey('ES256'), tokenKey('EdDSA')];
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const set = JSON.stringify({ keys: [publicJwk(rs), publicJwk(es), publicJwk(ed), publicJwk('x'), publicJwk(p384)] });
  const root = createAuthority({ uris: [] });
  const middle = root.intermediate({
    uris: [],
    extensions: [extension.nameConstraints([generalName.dns('a'), generalName.email('a@b')], [generalName.uri('c')])],
  });
  const leaf = middle.issue({
    dnsNames: ['x.a'],
    otherNames: [generalName.ip(Buffer.alloc(4)), generalName.email('a@b')],
  });
  const chain = Buffer.concat([root.certificate.der, middle.certificate.der, leaf.der]);
  const names = der.sequence(der.setOf(der.sequence(der.oid('2.5.4.3'), der.utf8('n'))));
  const wanted = der.sequence(
    der.oid('1.2.840.113549.1.9.14'),
    der.setOf(der.sequence(der.sequence(der.oid('2.5.29.17'), der.octetString(der.sequence(generalName.dns('r')))))),
  );
  const request = der.sequence(
    der.sequence(
      der.integer(0),
      names,
      leaf.keys.publicKey.export({ type: 'spki', format: 'der' }),
      der.context(0, wanted),
    ),
    der.sequence(der.oid('1.2.840.10045.4.3.2')),
    der.bitString(Buffer.alloc(8)),
  );
  const keys = [rs, es, ed, small].flatMap((key) =>
    typeof key === 'string' ? [] : [key.privateKey.export({ type: 'pkcs8', format: 'pem' })],
  );
  const now = num(1_700_000_000_123_456_789n);
  const url = { method: 'GET', url: 'https://u:p@[::1%25z]:80/a%20b/\u00e9?q#f%2f', headers: { A: 'b' }, body: [1] };
  const config = { aws_service: 's3', aws_access_key: 'a', aws_secret_access_key: 'b', aws_region: 'c' };
  return [
    ...['RS256', 'PS512', 'ES256', 'EdDSA'].map(
      (alg) => [`io.jwt.verify_${alg.toLowerCase()}`, [str(token(alg, { a: 1 })), str(set)]] as const,
    ),
    ['io.jwt.verify_ps512', [str(token('PS512', {})), str(verifier(small))]],
    ['io.jwt.verify_hs256', [str(token('HS256', { a: 1 })), str('secret of HS256')]],
    ['io.jwt.decode', [str(token('HS256', token('HS256', { a: 1 }), { cty: 'JWT' }))]],
    ['io.jwt.decode', [str(`${part({ crit: ['a'], alg: 'x' })}.${part({ a: [1, { b: null }] })}.AA`)]],
    [
      'io.jwt.decode_verify',
      [
        str(token('ES256', { iss: 'i', aud: ['a'], exp: 2e9, nbf: 1 })),
        json({ cert: set, iss: 'i', aud: 'a', alg: 'ES256', time: 1e18 }),
      ],
    ],
    ['io.jwt.decode_verify', [str(token('HS256', {})), json({ secret: 'secret of HS256' })]],
    ...['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'].map(
      (alg) => ['io.jwt.encode_sign', [json({ alg }), json({ a: 1 }), json(privateJwk(tokenKey(alg)))]] as const,
    ),
    ['io.jwt.encode_sign_raw', [str('{"alg":"PS384"}'), str('{}'), str(JSON.stringify(privateJwk(small)))]],
    ['crypto.x509.parse_certificates', [str(chain.toString('base64'))]],
    ['crypto.x509.parse_and_verify_certificates', [str(chain.toString('base64'))]],
    [
      'crypto.x509.parse_and_verify_certificates_with_options',
      [str(chain.toString('base64')), json({ DNSName: 'x.a', CurrentTime: 5, KeyUsages: ['KeyUsageAny'] })],
    ],
    ['crypto.x509.parse_certificate_request', [str(Buffer.from(request).toString('base64'))]],
    ['crypto.x509.parse_keypair', [str(leaf.certPem), str(leaf.keyPem)]],
    ...keys.flatMap(
      (key) =>
        [
          ['crypto.x509.parse_rsa_private_key', [str(key)]],
          ['crypto.parse_private_keys', [str(key)]],
        ] as const,
    ),
    ['providers.aws.sign_req', [json(url), json(config), now]],
    ['time.format', [arr([now, str('Europe/Berlin'), str('Mon Jan _2 15:04:05.000 MST 2006 002 -07:00')])]],
    [
      'time.parse_ns',
      [str('Mon Jan _2 15:04:05.000 PM MST 2006 002 -07:00'), str('Mon Jan  2 15:04:05.000 PM UTC 2006 002 -07:00')],
    ],
    ['time.parse_rfc3339_ns', [str('2017-06-02T19:00:00.5-07:00')]],
    ['time.parse_duration_ns', [str('1h2.5m3s4ms5us6ns')]],
    ['time.add_date', [arr([now, str('Asia/Tokyo')]), num(1), num(-2), num(3)]],
    ['time.diff', [arr([now, str('Asia/Tokyo')]), now]],
    ...['date', 'clock', 'weekday'].map((name) => [`time.${name}`, [arr([now, str('America/St_Johns')])]] as const),
  ];
}

const PIECES = [
  '',
  '.',
  '=',
  '"',
  '\n',
  '\u0000',
  '\u00e9',
  '\u{1f600}',
  '-----BEGIN ',
  '%ff',
  '0',
  '9'.repeat(40),
  '1e400',
  '-',
  'MST',
  'null',
  '{}',
  '[[',
  ':',
  'none',
];

/** The same arguments with one thing wrong: a character, a byte below base64, a member, or a value of another kind. */
export function mutated(term: Term, pick: Pick): Term {
  if (pick(12) === 0)
    return (
      [
        { kind: 'null' } as const,
        num(pick(2) === 0 ? '1e999' : '-0'),
        str(''),
        arr([]),
        { kind: 'object', entries: [] } as const,
        { kind: 'set', items: [str('a')] } as const,
      ][pick(6)] ?? term
    );
  if (term.kind === 'array' && term.items.length > 0) {
    const at = pick(term.items.length);
    return arr(term.items.map((item, index) => (index === at ? mutated(item, pick) : item)));
  }
  if (term.kind === 'object' && term.entries.length > 0) {
    const at = pick(term.entries.length);
    return {
      kind: 'object',
      entries: term.entries.map(([key, value], index) =>
        index === at ? ([key, mutated(value, pick)] as const) : ([key, value] as const),
      ),
    };
  }
  if (term.kind === 'number')
    return num([`${term.text}0`, `-${term.text}`, '9223372036854775807', '1.5', '0', '1e30'][pick(6)] ?? '0');
  return term.kind === 'string' ? str(mutatedText(term.value, pick)) : term;
}

function mutatedText(text: string, pick: Pick): string {
  const at = pick(text.length + 1);
  if (/^[A-Za-z0-9+/=]{40,}$/.test(text) && pick(4) > 0)
    return mutatedBytes(Buffer.from(text, 'base64'), pick).toString('base64');
  const parts = text.split('.');
  if (parts.length === 3 && pick(2) === 0)
    return parts
      .map((one) => (pick(3) === 0 ? mutatedBytes(Buffer.from(one, 'base64url'), pick).toString('base64url') : one))
      .join('.');
  if (text.startsWith('{') && pick(3) > 0) {
    try {
      const changed = mutated(parseJson(text), pick);
      return JSON.stringify(plain(changed));
    } catch {
      return text;
    }
  }
  const pemDigits = /\n([A-Za-z0-9+/=\n]{40,})\n-----END/.exec(text)?.[1];
  if (pemDigits !== undefined && pick(4) > 0)
    return text.replace(pemDigits, mutatedBytes(Buffer.from(pemDigits, 'base64'), pick).toString('base64'));
  return text.slice(0, at) + (PIECES[pick(PIECES.length)] ?? '') + text.slice(at + pick(3));
}

function mutatedBytes(bytes: Buffer, pick: Pick): Buffer {
  const changed = Buffer.from(bytes);
  const at = pick(Math.max(changed.length, 1));
  switch (pick(5)) {
    case 0:
      return changed.subarray(0, at);
    case 1:
      return Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1)]);
    case 2:
      return Buffer.concat([changed.subarray(0, at), Buffer.from([pick(256)]), changed.subarray(at)]);
    default:
      for (let count = pick(3); count >= 0; count -= 1) changed[pick(Math.max(changed.length, 1))] = pick(256);
      return changed;
  }
}

/** JSON of a value with string keys. */
function plain(term: Term): unknown {
  if (term.kind === 'array' || term.kind === 'set') return term.items.map(plain);
  if (term.kind === 'object')
    return Object.fromEntries(
      term.entries.map(([key, value]) => [key.kind === 'string' ? key.value : '', plain(value)]),
    );
  if (term.kind === 'null') return null;
  return term.kind === 'number' ? Number(term.text) : term.value;
}
