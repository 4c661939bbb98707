import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';

import forge from 'node-forge';

import { err, ok } from '../../core/kernel/result.ts';
import { certificatesOf } from './pkcs12-certificates.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../../core/kernel/result.ts';
import type { OpenedKey } from './key-opener.ts';

/** Larger than any with one key and a chain; parsing takes memory many times that of the file. */
const MAX_BYTES = 1_048_576;

/** Certificates beside the leaf that are looked through for its issuers. */
const MAX_CERTIFICATES = 64;

type Bag = forge.pkcs12.Bag;

/**
 * Opens a PKCS#12 file (RFC 7292) with exactly one private key: its integrity is checked by the MAC, and the chain is put in order, leaf first,
 * without a root. Bags of other kinds are passed over.
 */
export function openPkcs12(bytes: Uint8Array, passphrase: string): Result<OpenedKey, string> {
  if (bytes.length > MAX_BYTES) return err(`the PKCS#12 file is larger than ${MAX_BYTES} bytes`);
  const file = read(bytes, passphrase);
  if (!file.ok) return file;
  const [key, ...others] = bagsOf(file.value.pfx, forge.pki.oids['pkcs8ShroudedKeyBag'], forge.pki.oids['keyBag']);
  if (key === undefined || others.length > 0)
    return err(`the PKCS#12 file holds ${key === undefined ? 0 : others.length + 1} private keys; one is needed`);
  const privateKey = keyOf(key);
  if (privateKey === undefined) return err('the private key in the PKCS#12 file cannot be used');
  const chain = orderedChain(file.value.certificates.slice(0, MAX_CERTIFICATES).flatMap(parsed), privateKey);
  if (chain.length === 0) return err('the PKCS#12 file holds no certificate for its private key');
  return ok({ privateKey, tlsKey: privateKey.export({ type: 'pkcs8', format: 'pem' }), chain });
}

type Pkcs12 = { readonly pfx: forge.pkcs12.Pkcs12Pfx; readonly certificates: readonly Uint8Array[] };

function read(bytes: Uint8Array, passphrase: string): Result<Pkcs12, string> {
  try {
    const node = forge.asn1.fromDer(forge.util.createBuffer(Buffer.from(bytes).toString('binary')));
    const pfx = forge.pkcs12.pkcs12FromAsn1(node, true, passphrase);
    return ok({ pfx, certificates: certificatesOf(node, passphrase) });
  } catch (error) {
    const isWrongPassword = error instanceof Error && /password|MAC|decrypt/i.test(error.message);
    return err(
      isWrongPassword
        ? 'the PKCS#12 file cannot be opened: the passphrase is wrong, or the file is damaged'
        : 'the file is no PKCS#12 file that can be read',
    );
  }
}

function bagsOf(file: forge.pkcs12.Pkcs12Pfx, ...types: readonly (string | undefined)[]): readonly Bag[] {
  return types.flatMap((bagType) =>
    bagType === undefined ? [] : Object.values(file.getBags({ bagType })).flatMap((bags) => bags ?? []),
  );
}

/** RSA keys come parsed; any other stays as PrivateKeyInfo. */
function keyOf(bag: Bag): KeyObject | undefined {
  try {
    const info = bag.key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(bag.key)) : bag.asn1;
    return createPrivateKey({ key: derOf(info), format: 'der', type: 'pkcs8' });
  } catch {
    return undefined;
  }
}

function parsed(der: Uint8Array): readonly X509Certificate[] {
  try {
    return [new X509Certificate(der)];
  } catch {
    return [];
  }
}

function derOf(asn1: forge.asn1.Asn1): Buffer {
  return Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'binary');
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
