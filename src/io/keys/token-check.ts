import { createPrivateKey } from 'node:crypto';

import { probeTokenKey, TOKEN_LABEL } from './token-key.ts';

import type { KeyObject } from 'node:crypto';

/** Says why a key cannot be used at this moment, given what the TLS library was given (`OpenedKey.tlsKey`). undefined for one that stands in memory. */
export type TokenCheck = (tlsKey: string) => Promise<string | undefined>;

const GONE =
  'the PKCS#11 token does not sign, so no new connection can be made; once it is back, restart this process: it does not find a token again';

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
      await probeTokenKey(opened.key);
      return undefined;
    } catch {
      return GONE;
    }
  };
}
