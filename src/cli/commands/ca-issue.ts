import { keyEncoder } from '../../app/ca-keys.ts';
import { pemBlocks } from '../../core/identity/pem.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { issueFiles } from '../../io/authority/issued-files.ts';
import { readBounded } from '../../io/sources/read-file.ts';
import { fileOption, withAuthority } from '../authority-at-hand.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { IssuedKey } from '../../io/authority/issued-files.ts';
import type { AuthorityAtHand } from '../authority-at-hand.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { CaIssueOptions } from '../define-ca.ts';
import type { Terminal } from '../terminal.ts';

/** Many times a request of a 4096-bit key. */
const MAX_CSR_BYTES = 65_536;

/** `sallyport ca issue`. */
export function issue(options: CaIssueOptions, terminal: Terminal): Promise<ExitCode> {
  return withAuthority(options, terminal, async ({ store, deps, outside }) => {
    const { id, ttl, dns, ip, out, name, force, issuingKey } = options;
    const key = await keyOf(options, outside);
    if (!key.ok) return key;
    const wanted = { id, ttlMs: ttl, dnsNames: dns, ipAddresses: ip, issuingKey: fileOption(issuingKey) };
    const issued = await issueFiles(store, wanted, key.value, { out, name, force: force === true }, deps);
    if (!issued.ok) return issued;
    const { certificate, privateKey, notAfter } = issued.value;
    return ok({
      json: issued.value,
      lines: privateKey === undefined ? [certificate] : [certificate, privateKey],
      advice: [`${id}, valid until ${notAfter}`],
    });
  });
}

async function keyOf(
  { csr, keyType, keyPassphrase }: CaIssueOptions,
  outside: AuthorityAtHand['outside'],
): Promise<Result<IssuedKey, string>> {
  if (csr !== undefined && keyPassphrase !== undefined) return err('with --csr no key is written');
  if (csr !== undefined) return requestFrom(csr, outside);
  const encoder = outside(await keyEncoder(keyPassphrase));
  return encoder.ok ? ok({ kind: 'new', keyKind: keyType, encodeKey: encoder.value }) : encoder;
}

/** A request in DER, or in PEM under either of its labels (RFC 7468 7). */
async function requestFrom(path: string, outside: AuthorityAtHand['outside']): Promise<Result<IssuedKey, string>> {
  const file = outside(await readBounded(path, MAX_CSR_BYTES));
  if (!file.ok) return file;
  const { bytes } = file.value;
  if (bytes[0] === 0x30) return ok({ kind: 'elsewhere', csr: bytes });
  const blocks = pemBlocks(new TextDecoder().decode(bytes));
  const [block, another] = blocks.ok ? blocks.value : [];
  const isRequest = block !== undefined && /^(?:NEW )?CERTIFICATE REQUEST$/.test(block.label);
  return isRequest && another === undefined
    ? ok({ kind: 'elsewhere', csr: block.der })
    : err(`${path}: is not one certificate request (PKCS#10) in PEM or DER`);
}
