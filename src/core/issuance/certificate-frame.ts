import { constructedTag, DerReader, TAG } from '../identity/der.ts';
import { bitString, context, integer, sequence, time } from './der-writer.ts';

import type { Validity } from './validity.ts';

/** What stands in a certificate of ours. Names, key and extensions are encoded already. */
export type CertificateContent = Validity & {
  /** Hexadecimal. */
  readonly serial: string;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions: readonly Uint8Array[];
};

/** Explicit version 3, as an INTEGER 2 (RFC 5280 4.1.2.1). */
const VERSION_3 = context(0, integer('02'));

/** TBSCertificate (RFC 5280 4.1): the very bytes that are judged and then signed. `algorithm`: the encoded AlgorithmIdentifier of the issuer's signature. */
export function encodeTbsCertificate(content: CertificateContent, algorithm: Uint8Array): Uint8Array<ArrayBuffer> {
  return sequence(
    VERSION_3,
    integer(content.serial),
    algorithm,
    content.issuer,
    sequence(time(content.notBeforeMs), time(content.notAfterMs)),
    content.subject,
    content.spki,
    context(3, sequence(...content.extensions)),
  );
}

/** The same TBSCertificate with another key in it, and to be signed with another algorithm: all that anybody may do with it stays. `tbs` has been parsed before. */
export function withKey(tbs: Uint8Array, spki: Uint8Array, algorithm: Uint8Array): Uint8Array<ArrayBuffer> {
  const content = new DerReader(tbs).enter(TAG.sequence, 'certificate');
  const head = [content.whole(constructedTag(0), 'version'), content.whole(TAG.integer, 'serial number')];
  content.whole(TAG.sequence, 'signature algorithm');
  const names = ['issuer', 'validity', 'subject'].map((what) => content.whole(TAG.sequence, what));
  content.whole(TAG.sequence, 'public key');
  const rest: Uint8Array[] = [];
  while (!content.atEnd) rest.push(content.whole(content.nextTag, 'extensions'));
  return sequence(...head, algorithm, ...names, spki, ...rest);
}

/** SIGNED (RFC 5280 4.1.1, 5.1.1): what was signed, how, and the signature. */
export function encodeSigned(tbs: Uint8Array, algorithm: Uint8Array, signature: Uint8Array): Uint8Array<ArrayBuffer> {
  return sequence(tbs, algorithm, bitString(signature));
}
