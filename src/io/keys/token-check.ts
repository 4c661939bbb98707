import { createPrivateKey, sign } from 'node:crypto';

import { TOKEN_LABEL } from './token-key.ts';

import type { KeyObject } from 'node:crypto';

/** Says why a key cannot be used at this moment, given what the TLS library was given (`OpenedKey.tlsKey`). undefined for one that stands in memory. */
export type TokenCheck = (tlsKey: string) => Promise<string | undefined>;

const GONE =
  'the PKCS#11 token does not sign, so no new connection can be made; once it is back, restart this process: it does not find a token again';

/** No handshake signs anything that begins like this (RFC 8446 4.4.3: 64 spaces). */
const PROBE = Buffer.from('~ is the token there?');

/**
 * Creates a check of keys in tokens: the token is asked for a signature, off the main thread. Nothing else tells in time that one is gone: its key was opened
 * long ago, and each handshake that fails looks like a fault of its peer.
 */
export function createTokenCheck(): TokenCheck {
  let opened: { readonly reference: string; readonly key: KeyObject } | undefined;
  return async (tlsKey) => {
    if (!tlsKey.startsWith(`-----BEGIN ${TOKEN_LABEL}-----`)) return undefined;
    try {
      if (opened?.reference !== tlsKey) opened = { reference: tlsKey, key: createPrivateKey(tlsKey) };
      await signed(opened.key);
      return undefined;
    } catch {
      return GONE;
    }
  };
}

function signed(key: KeyObject): Promise<void> {
  const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return new Promise((resolve, reject) => {
    sign(digest, PROBE, key, (error) => (error === null ? resolve() : reject(error)));
  });
}
