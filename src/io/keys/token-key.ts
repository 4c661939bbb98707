import { constants, createPrivateKey, sign } from 'node:crypto';

import { encodePem } from '../../core/identity/pem.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { KeyObject, SignKeyObjectInput } from 'node:crypto';
import type { Result } from '../../core/kernel/result.ts';
import type { OpenedKey } from './key-opener.ts';

/** The PEM by which OpenSSL's pkcs11-provider is told of a key (its documentation, "PEM encoded URI"). */
export const TOKEN_LABEL = 'PKCS#11 PROVIDER URI';

const DESCRIPTION = 'PKCS#11 Provider URI v1.0';

/** Of a reference, characters. */
const MAX_LENGTH = 8_192;

/** A PKCS#11 URI (RFC 7512 2.3) without line ends. */
const URI = /^pkcs11:[\x21-\x7e]{1,2000}$/;

/** That one block and nothing else: OpenSSL would pass over it without the provider, and take a key that follows. */
const PEM = new RegExp(
  `^-----BEGIN ${TOKEN_LABEL}-----\r?\n(?:[A-Za-z0-9+/=]{1,76}\r?\n){1,64}-----END ${TOKEN_LABEL}-----$`,
);

/** One attribute of the path that tells keys of a token apart; OpenSSL would take the first of those that fit. */
const NAMES_A_KEY = /^pkcs11:(?:[^?]*;)?(?:object|id)=[^;?]/;

/**
 * The PEM form of a file that refers to a key in a token: that PEM itself, or the bare URI; undefined for any other file. Fails where a URI names a token and
 * none of its keys.
 */
export function tokenReference(text: string): Result<string, string> | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const trimmed = text.trim();
  if (PEM.test(trimmed)) return ok(`${trimmed}\n`);
  if (!URI.test(trimmed)) return undefined;
  return NAMES_A_KEY.test(trimmed)
    ? ok(encodePem(TOKEN_LABEL, uriDer(trimmed)))
    : err('the PKCS#11 URI names no key of its token; add `object=` or `id=`');
}

/** Opens the key by reference, and has it sign once: a module may have keys that it, or what stands before it, cannot use. The key stays in its token. */
export function openTokenKey(pem: string): Result<OpenedKey, string> {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    return err(
      'the key in the PKCS#11 token cannot be opened: is the pkcs11 provider in the OpenSSL configuration of this process (OPENSSL_CONF), the token there, the PIN right, the URI that of a private key?',
    );
  }
  try {
    sign(digestOf(privateKey), PROBE, asTlsSigns(privateKey));
    return ok({ privateKey, tlsKey: pem, chain: [] });
  } catch {
    return err(
      'the key in the PKCS#11 token does not sign: do its module and p11-kit know its kind (EdDSA for Ed25519, RSA-PSS for RSA)? ECDSA on P-256 is the most widely known',
    );
  }
}

/** Has a key in a token sign once, off the main thread; rejects where it does not. */
export function probeTokenKey(privateKey: KeyObject): Promise<void> {
  return new Promise((resolve, reject) => {
    sign(digestOf(privateKey), PROBE, asTlsSigns(privateKey), (error) => (error === null ? resolve() : reject(error)));
  });
}

/** No handshake and no certificate begins like this (RFC 8446 4.4.3: 64 spaces; DER: 30). */
const PROBE = Buffer.from('~ is the token there?');

function digestOf({ asymmetricKeyType }: KeyObject): string | null {
  return asymmetricKeyType === 'ed25519' ? null : 'sha256';
}

/** TLS 1.3 signs with RSA by PSS only (RFC 8446 4.2.3). */
function asTlsSigns(key: KeyObject): SignKeyObjectInput {
  return key.asymmetricKeyType === 'rsa'
    ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : { key };
}

/** SEQUENCE { VisibleString, UTF8String }. */
function uriDer(uri: string): Uint8Array {
  return tlv(0x30, Buffer.concat([tlv(0x1a, Buffer.from(DESCRIPTION)), tlv(0x0c, Buffer.from(uri))]));
}

/** X.690 8.1; at most 65,535 bytes. */
function tlv(tag: number, body: Uint8Array): Uint8Array {
  const { length } = body;
  const lengthBytes = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...lengthBytes), body]);
}
