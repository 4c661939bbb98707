import { createPrivateKey } from 'node:crypto';

import { pemBlocks } from '../../core/identity/pem.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { derivationProblem } from './derivation-cost.ts';
import { readPassphrase } from './passphrase.ts';
import { openTokenKey, TOKEN_LABEL, tokenReference } from './token-key.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../../core/kernel/result.ts';

/** A private key that was opened. */
export type OpenedKey = {
  /** Signs; of a key in a token nothing else can be had. */
  readonly privateKey: KeyObject;
  /** What Node's TLS takes as `key`: PKCS#8 PEM, or the reference to a token. Never to be logged. */
  readonly tlsKey: string;
  /** DER, leaf first, of a file that holds certificates too (PKCS#12); empty otherwise. */
  readonly chain: readonly Uint8Array[];
};

/** Opens private keys from the bytes of their files. The error names what is wrong and never what stands there. */
export interface KeyOpener {
  open(path: string, bytes: Uint8Array): Promise<Result<OpenedKey, string>>;
}

/** `passphrase`: path of a file with the passphrase of encrypted keys; read at each use, so that it may change with the key. */
export type KeySettings = { readonly passphrase?: string | undefined };

/** Creates an opener without effects. */
export function createKeyOpener(settings: KeySettings): KeyOpener {
  return {
    open: async (_path, bytes) => {
      const form = formOf(bytes);
      switch (form.kind) {
        case 'token':
          return openTokenKey(form.pem);
        case 'plain':
          return openPem(bytes, undefined);
        case 'encrypted':
          return form.problem === undefined
            ? withPassphrase(settings, (passphrase) => openPem(bytes, passphrase))
            : err(`the private key cannot be decrypted: ${form.problem}`);
        case 'pkcs12':
          return withPassphrase(settings, async (passphrase) => {
            const { openPkcs12 } = await import('./pkcs12.ts');
            return openPkcs12(bytes, passphrase);
          });
        case 'unknown':
          return err(form.detail);
        default:
          return form satisfies never;
      }
    },
  };
}

type Form =
  | { readonly kind: 'plain' | 'pkcs12' }
  /** `problem`: why no passphrase is tried. */
  | { readonly kind: 'encrypted'; readonly problem: string | undefined }
  | { readonly kind: 'token'; readonly pem: string }
  | { readonly kind: 'unknown'; readonly detail: string };

const FORMS =
  'a private key in PEM (PKCS#8, SEC1 or PKCS#1), PKCS#12, or the URI of a key in a token (pkcs11:…) is needed';

/** Told by the content: names of files are the operator's. PKCS#12 is DER, which begins with a SEQUENCE (RFC 7292 4). */
function formOf(bytes: Uint8Array): Form {
  if (bytes[0] === 0x30) return { kind: 'pkcs12' };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const reference = tokenReference(text);
  if (reference !== undefined)
    return reference.ok ? { kind: 'token', pem: reference.value } : { kind: 'unknown', detail: reference.error };
  const blocks = pemBlocks(text);
  const labels = blocks.ok ? blocks.value.map(({ label }) => label) : legacyLabels(text);
  const keys = labels.filter((label) => label.endsWith('PRIVATE KEY') || label === TOKEN_LABEL);
  if (keys.length !== 1) return { kind: 'unknown', detail: `holds ${keys.length} private keys; ${FORMS}` };
  if (keys[0] === TOKEN_LABEL)
    return { kind: 'unknown', detail: 'the reference to a key in a token has to be all that the file holds' };
  if (keys[0] !== 'ENCRYPTED PRIVATE KEY')
    return text.includes('Proc-Type: 4,ENCRYPTED') ? { kind: 'encrypted', problem: undefined } : { kind: 'plain' };
  if (!blocks.ok) return { kind: 'unknown', detail: `is no PEM that can be read (${blocks.error})` };
  const der = blocks.value.find(({ label }) => label === 'ENCRYPTED PRIVATE KEY')?.der;
  return { kind: 'encrypted', problem: der && derivationProblem(der) };
}

/** Keys as OpenSSL once encrypted them have header lines in their PEM (RFC 1421 4.6), which strict PEM (RFC 7468) has not. */
function legacyLabels(text: string): readonly string[] {
  return Array.from(text.matchAll(/^-----BEGIN ([A-Z0-9# ]{1,64})-----[ \t]*\r?$/gm), ([, label = '']) => label);
}

function openPem(bytes: Uint8Array, passphrase: string | undefined): Result<OpenedKey, string> {
  try {
    const privateKey = createPrivateKey({ key: Buffer.from(bytes), ...(passphrase !== undefined && { passphrase }) });
    return ok({ privateKey, tlsKey: privateKey.export({ type: 'pkcs8', format: 'pem' }), chain: [] });
  } catch {
    return err(
      passphrase === undefined
        ? `the private key cannot be read; ${FORMS}`
        : 'the private key cannot be decrypted: the passphrase is wrong, or the file is damaged',
    );
  }
}

async function withPassphrase(
  { passphrase }: KeySettings,
  open: (passphrase: string) => Result<OpenedKey, string> | Promise<Result<OpenedKey, string>>,
): Promise<Result<OpenedKey, string>> {
  if (passphrase === undefined)
    return err('the private key is encrypted; `passphrase` must name a file with its passphrase');
  const read = await readPassphrase(passphrase);
  return read.ok ? open(read.value) : read;
}
