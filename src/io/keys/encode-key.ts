import type { KeyObject } from 'node:crypto';

/** PKCS#8 PEM of a key, encrypted with a passphrase (PBES2 with AES-256-CBC, RFC 8018 6.2); plain where there is none. */
export function encodePrivateKey(key: KeyObject, passphrase: string | undefined): string {
  return passphrase === undefined
    ? key.export({ type: 'pkcs8', format: 'pem' })
    : key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase });
}
