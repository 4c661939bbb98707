import { BuiltinError, integerArg, stringArg, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { NULL, arr, bool, str } from '../term.ts';
import type { Term } from '../term.ts';
import { chargeReading } from './crypto-cost.ts';
import { base64Bytes, textOf } from './go-bytes.ts';
import { trimmed } from './go-trim.ts';
import { members } from './json-term.ts';
import { allPem, readPem } from './pem.ts';
import { jwkTerm, privateKeyTerm, readPrivateKeys } from './private-key-json.ts';
import { jwkOf, publicHalf, readPkcs1, readPkcs8, readSec1 } from './private-key.ts';
import type { PrivateKey } from './private-key.ts';
import type { PublicKey } from './public-key.ts';
import { readCertificate, readCertificates } from './x509-certificate.ts';
import type { Certificate } from './x509-certificate.ts';
import { ANY_USAGE, verifiedChain } from './x509-chain.ts';
import type { ChainDemands } from './x509-chain.ts';
import { EXTENDED_USAGES, bytesTerm, certificateTerm, extendedTerm, fields } from './x509-json.ts';
import { requestTerm } from './x509-request.ts';

const BEGIN = '-----BEGIN';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
/** Names of extended key usages in options, in the order of `EXTENDED_USAGES`. */
const USAGE_NAMES: readonly string[] = [
  'Any',
  'ServerAuth',
  'ClientAuth',
  'CodeSigning',
  'EmailProtection',
  'IPSECEndSystem',
  'IPSECTunnel',
  'IPSECUser',
  'TimeStamping',
  'OCSPSigning',
  'MicrosoftServerGatedCrypto',
  'NetscapeServerGatedCrypto',
  'MicrosoftCommercialCodeSigning',
  'MicrosoftKernelCodeSigning',
].map((name) => `KeyUsage${name}`);

/** Certificates of PEM, of base64 of PEM, or of base64 of DER one behind the other. */
function certificatesIn(text: string, context: BuiltinContext): Certificate[] {
  chargeReading(context, text);
  const pem = text.startsWith(BEGIN) ? text : pemOrDer(text);
  const certificates =
    typeof pem === 'string'
      ? allPem(pem).flatMap(({ type, bytes }) => certificatesOf(type, bytes))
      : readCertificates(pem);
  return Array.from(certificates);
}

function pemOrDer(text: string): string | Uint8Array {
  const bytes = base64Bytes(text);
  const inner = textOf(bytes.subarray(0, BEGIN.length)) === BEGIN;
  return inner ? textOf(bytes) : bytes;
}

function certificatesOf(type: string, bytes: Uint8Array): Certificate[] {
  if (type !== 'CERTIFICATE') throw new BuiltinError(`PEM block type is ${type.slice(0, 40)}, expected CERTIFICATE`);
  return readCertificates(bytes);
}

/** `[valid, chain]`: what cannot be read is not valid. */
function verified(
  args: readonly Term[],
  context: BuiltinContext,
  demands: () => ChainDemands,
  term: (one: Certificate) => Term,
): Term {
  const text = stringArg(args, 0);
  const chain = chainOf(text, context, demands);
  return arr([bool(chain !== undefined), arr((chain ?? []).map(term))]);
}

function chainOf(
  text: string,
  context: BuiltinContext,
  demands: () => ChainDemands,
): readonly Certificate[] | undefined {
  let certificates: readonly Certificate[];
  try {
    certificates = certificatesIn(text, context);
  } catch (problem) {
    if (problem instanceof BuiltinError) return undefined;
    throw problem;
  }
  return verifiedChain(certificates, demands(), context);
}

/** Options of `parse_and_verify_certificates_with_options`. Without a time it is that of the decision. */
function demandsOf(options: Term, context: BuiltinContext): ChainDemands {
  const demands = { nowNs: BigInt(context.nowNs()), host: '', usages: [SERVER_AUTH] as readonly string[] };
  for (const [name, value] of members(options)) {
    if (name === 'DNSName') demands.host = trimmed(stringArg([value], 0), '"');
    else if (name === 'CurrentTime') demands.nowNs = integerArg([value], 0);
    else if (name === 'MaxConstraintComparisons') integerArg([value], 0);
    else if (name === 'KeyUsages') demands.usages = usagesOf(value);
    else throw new BuiltinError('invalid key option');
  }
  return demands;
}

function usagesOf(value: Term): readonly string[] {
  if (value.kind !== 'array' && value.kind !== 'set') throw new BuiltinError("'KeyUsages' should be an array or set");
  const names = value.items.flatMap((item) => (item.kind === 'string' ? [trimmed(item.value, '"')] : []));
  const usages = names.map((name) => EXTENDED_USAGES[USAGE_NAMES.indexOf(name)]);
  if (usages.includes(undefined)) throw new BuiltinError("invalid entries for 'KeyUsages' found");
  return usages.length === 0 ? [SERVER_AUTH] : usages.map((usage) => usage ?? ANY_USAGE);
}

function parseRequest(args: readonly Term[], context: BuiltinContext): Term {
  const text = stringArg(args, 0);
  chargeReading(context, text);
  const pemText = text.startsWith('-----BEGIN CERTIFICATE REQUEST-----') ? text : undefined;
  const bytes = pemText === undefined ? base64Bytes(text) : new Uint8Array();
  const block = readPem(pemText ?? textOf(bytes));
  if (block !== undefined && block.type !== 'CERTIFICATE REQUEST')
    throw new BuiltinError('invalid PEM-encoded certificate signing request');
  return requestTerm(block?.bytes ?? bytes);
}

function privateKeysIn(text: string, context: BuiltinContext): PrivateKey[] {
  chargeReading(context, text);
  return readPrivateKeys(text, context);
}

/** The first key as a JWK, of whatever type it is, despite the name; null where there is none. */
function parseRsaPrivateKey(args: readonly Term[], context: BuiltinContext): Term {
  const text = stringArg(args, 0);
  if (text === '') throw new BuiltinError('input PEM data was empty');
  const [key] = privateKeysIn(text.startsWith(BEGIN) ? text : textOf(base64Bytes(text)), context);
  if (key === undefined) return NULL;
  const jwk = jwkOf(key);
  if (jwk === undefined) throw new BuiltinError('a key on this curve has no JWK');
  return jwkTerm(jwk);
}

function parsePrivateKeys(args: readonly Term[], context: BuiltinContext): Term {
  const text = stringArg(args, 0);
  return text === '' ? NULL : arr(privateKeysIn(text, context).map(privateKeyTerm));
}

/** A chain and the private key of its first certificate, as Go's `tls.Certificate`. */
function parseKeyPair(args: readonly Term[], context: BuiltinContext): Term {
  for (const index of [0, 1]) chargeReading(context, stringArg(args, index));
  const chain = derOrPem(stringArg(args, 0), 'CERTIFICATE').flatMap(({ type, bytes }) =>
    type === 'CERTIFICATE' ? [bytes] : [],
  );
  const keyBlock = derOrPem(stringArg(args, 1), 'PRIVATE KEY').find(({ type }) => /(?:^| )PRIVATE KEY$/.test(type));
  const [first] = chain;
  if (first === undefined || keyBlock === undefined) throw new BuiltinError('no certificate or no private key in PEM');
  const leaf = readCertificate(first);
  const key = anyPrivateKey(keyBlock.bytes, context);
  if (leaf.keyInfo.key === undefined || !isSameKey(leaf.keyInfo.key, publicHalf(key)))
    throw new BuiltinError('private key does not match public key');
  return fields({
    Certificate: arr(chain.map((der) => str(der.toBase64()))),
    PrivateKey: privateKeyTerm(key),
    SupportedSignatureAlgorithms: NULL,
    OCSPStaple: bytesTerm(undefined),
    SignedCertificateTimestamps: NULL,
    Leaf: certificateTerm(leaf),
  });
}

function derOrPem(text: string, type: string): { type: string; bytes: Uint8Array }[] {
  const plain = text.startsWith(`${BEGIN} `) ? text : pemOrDer(text);
  return typeof plain === 'string' ? Array.from(allPem(plain)) : [{ type, bytes: plain }];
}

/** Whatever the label says, a key is tried as PKCS#1, PKCS#8 and SEC 1, as Go's `tls` does. */
function anyPrivateKey(der: Uint8Array, cost: BuiltinContext): PrivateKey {
  for (const read of [readPkcs1, readPkcs8]) {
    try {
      return read(der, cost);
    } catch (problem) {
      if (!(problem instanceof BuiltinError)) throw problem;
    }
  }
  return readSec1(der, cost);
}

function isSameKey(one: PublicKey, other: PublicKey): boolean {
  if (one.kind === 'rsa' && other.kind === 'rsa') return one.n === other.n && one.e === other.e;
  if (one.kind === 'ec' && other.kind === 'ec')
    return one.curve === other.curve && one.x === other.x && one.y === other.y;
  return one.kind === 'ed25519' && other.kind === 'ed25519' && one.x.toHex() === other.x.toHex();
}

/**
 * Certificates, requests and private keys. Verifying takes the time of the decision where no other is given, so it counts as nondeterministic here, which
 * OPA does not say of it: a cached answer would outlive a certificate.
 */
export const X509_BUILTINS: Readonly<Record<string, Builtin>> = {
  'crypto.x509.parse_certificates': {
    arity: 1,
    call: (args, context) => {
      const certificates = certificatesIn(stringArg(args, 0), context);
      return arr(certificates.map(extendedTerm));
    },
  },
  'crypto.x509.parse_and_verify_certificates': {
    arity: 1,
    nondeterministic: true,
    call: (args, context) =>
      verified(
        args,
        context,
        () => ({ nowNs: BigInt(context.nowNs()), host: '', usages: [SERVER_AUTH] }),
        extendedTerm,
      ),
  },
  'crypto.x509.parse_and_verify_certificates_with_options': {
    arity: 2,
    nondeterministic: true,
    call: (args, context) => {
      const options = args[1];
      if (options?.kind !== 'object') throw wrongType(1, 'object', options);
      return verified(args, context, () => demandsOf(options, context), certificateTerm);
    },
  },
  'crypto.x509.parse_certificate_request': { arity: 1, call: parseRequest },
  'crypto.x509.parse_keypair': { arity: 2, call: parseKeyPair },
  'crypto.x509.parse_rsa_private_key': { arity: 1, call: parseRsaPrivateKey },
  'crypto.parse_private_keys': { arity: 1, call: parsePrivateKeys },
};
