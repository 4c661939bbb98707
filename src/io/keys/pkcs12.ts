import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';

import { err, ok } from '../../core/kernel/result.ts';
import { Pkcs12Refusal, readContents } from './pkcs12-contents.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../../core/kernel/result.ts';
import type { OpenedKey } from './key-opener.ts';
import type { Pkcs12Contents } from './pkcs12-contents.ts';

/** Larger than any with one key and a chain; parsing takes memory a hundred times that of the file. */
const MAX_BYTES = 262_144;

/** Certificates that may stand beside the key: the order of the chain is found by trying each with each. */
const MAX_CERTIFICATES = 16;

/**
 * Opens a PKCS#12 file (RFC 7292) with exactly one private key: its integrity is checked by the MAC, and the chain is put in order, leaf first,
 * without a root. Bags of other kinds are passed over.
 */
export function openPkcs12(bytes: Uint8Array, passphrase: string): Result<OpenedKey, string> {
  if (bytes.length > MAX_BYTES) return err(`the PKCS#12 file is larger than ${MAX_BYTES} bytes`);
  const contents = read(bytes, passphrase);
  if (!contents.ok) return contents;
  const { keys, certificates } = contents.value;
  const [key] = keys;
  if (key === undefined || keys.length > 1)
    return err(`the PKCS#12 file holds ${keys.length} private keys; one is needed`);
  if (certificates.length > MAX_CERTIFICATES)
    return err(`the PKCS#12 file holds ${certificates.length} certificates; at most ${MAX_CERTIFICATES} are taken`);
  const privateKey = keyOf(key);
  if (privateKey === undefined) return err('the private key in the PKCS#12 file cannot be used');
  const chain = orderedChain(certificates.flatMap(parsed), privateKey);
  if (chain.length === 0) return err('the PKCS#12 file holds no certificate for its private key');
  return ok({ privateKey, tlsKey: privateKey.export({ type: 'pkcs8', format: 'pem' }), chain });
}

function read(bytes: Uint8Array, passphrase: string): Result<Pkcs12Contents, string> {
  try {
    return ok(readContents(bytes, passphrase));
  } catch (error) {
    return err(
      error instanceof Pkcs12Refusal
        ? `the PKCS#12 file ${error.message}`
        : 'the file begins as DER does, and is no PKCS#12 file that can be read; a key alone has to be in PEM',
    );
  }
}

function keyOf(info: Uint8Array): KeyObject | undefined {
  try {
    return createPrivateKey({ key: Buffer.from(info), format: 'der', type: 'pkcs8' });
  } catch {
    return undefined;
  }
}

/** None where the certificate or its key cannot be read: it is nobody's issuer then. */
function parsed(der: Uint8Array): readonly X509Certificate[] {
  try {
    const certificate = new X509Certificate(der);
    return certificate.publicKey.type === 'public' ? [certificate] : [];
  } catch {
    return [];
  }
}

/** The leaf that the key fits, then issuer after issuer, each once; a self-signed end is left out. */
function orderedChain(certificates: readonly X509Certificate[], privateKey: KeyObject): readonly Uint8Array[] {
  const publicKey = createPublicKey(privateKey);
  let current = certificates.find((certificate) => certificate.publicKey.equals(publicKey));
  const chain: X509Certificate[] = [];
  while (current !== undefined && !chain.includes(current)) {
    const child: X509Certificate = current;
    if (chain.length > 0 && child.checkIssued(child)) break;
    chain.push(child);
    current = certificates.find(
      (issuer) => issuer !== child && child.checkIssued(issuer) && child.verify(issuer.publicKey),
    );
  }
  return chain.map(({ raw }) => new Uint8Array(raw));
}
