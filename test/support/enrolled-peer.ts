import { createHash, X509Certificate } from 'node:crypto';

import { encodePem } from '../../src/core/identity/pem.ts';
import { createCsr } from '../../src/core/issuance/create-csr.ts';
import type { AuthorityProcess } from './authority-process.ts';
import type { Issued } from './pki.ts';
import { createKeyPair, spkiOf } from './pki-keys.ts';
import { postSvid } from './served-authority.ts';

/** A peer that got its certificate from a running authority, as any client of its HTTPS service may. */
export type EnrolledPeer = Issued & {
  /** As the authority's commands take them. */
  readonly serialHex: string;
  readonly spkiSha256: string;
};

/** Enrols by a join token, with a key of its own. */
export async function enrolPeer(authority: AuthorityProcess, spiffeId: string): Promise<EnrolledPeer> {
  const keys = createKeyPair('p256');
  const csr = (await createCsr(keys.privateKey)).toBase64();
  const ask = { csr, method: 'join-token', token: authority.token(spiffeId) };
  const { status, json } = await postSvid(authority.port, ask);
  if (status !== 200) throw new Error(`enrolment was answered ${status}\n${authority.story()}`);
  const chain = (json as { chain: readonly string[] }).chain.map((text) => Uint8Array.fromBase64(text));
  const [der = new Uint8Array()] = chain;
  const { serialNumber, validToDate } = new X509Certificate(der);
  return {
    der,
    chain,
    certPem: encodePem('CERTIFICATE', der),
    chainPem: chain.map((each) => encodePem('CERTIFICATE', each)).join(''),
    keyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    privateKey: keys.privateKey,
    keys,
    serial: BigInt(`0x${serialNumber}`),
    notAfter: validToDate,
    serialHex: serialNumber,
    spkiSha256: createHash('sha256').update(spkiOf(keys)).digest('hex'),
  };
}
