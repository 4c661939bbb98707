import { TAG } from '../identity/der.ts';
import { readNamedBits, readOid } from '../identity/der-values.ts';
import { KEY_USAGE, readBasicConstraints, readExtensionList } from '../identity/extensions.ts';
import { readGeneralNames } from '../identity/general-name.ts';
import { err, ok } from '../kernel/result.ts';

import type { DerReader } from '../identity/der.ts';
import type { RawExtension } from '../identity/extensions.ts';
import type { Result } from '../kernel/result.ts';

/** The extensions of one extension request, by object identifier, their values not yet read. */
export type Wishes = ReadonlyMap<string, RawExtension>;

/** Attributes that hold extensions: PKCS #9 extensionRequest (RFC 2985 5.4.2), and the one that Microsoft's tools wrote before it. */
const REQUESTS: ReadonlySet<string> = new Set(['1.2.840.113549.1.9.14', '1.3.6.1.4.1.311.2.1.14']);

const OID = { keyUsage: '2.5.29.15', subjectAltName: '2.5.29.17', basicConstraints: '2.5.29.19' } as const;

/**
 * The extension requests among the attributes of a certification request (RFC 2986 4.1), of which each is a type and a set of values; other
 * attributes are read over. There should be one request with one value, but a second could hide what the first does not say.
 */
export function readAttributes(attributes: DerReader): readonly Wishes[] {
  const found: Wishes[] = [];
  while (!attributes.atEnd) {
    const attribute = attributes.enter(TAG.sequence, 'attribute');
    const type = readOid(attribute, 'attribute type');
    const values = attribute.enter(TAG.set, 'attribute values');
    attribute.close('attribute');
    while (REQUESTS.has(type) && !values.atEnd) found.push(readExtensionRequest(values));
  }
  return found;
}

/** Extensions (RFC 5280 4.1), or an empty list of them, which asks for nothing. */
function readExtensionRequest(values: DerReader): Wishes {
  const what = 'extension request';
  const list = values.whole(TAG.sequence, what);
  return list.length > 2 ? readExtensionList(values.over(list), what) : new Map();
}

/**
 * The URIs that requests ask for as subject alternative names: none, or one. The error tells why they ask for more than any workload may have:
 * to be a CA (`cA`, `keyCertSign`, `cRLSign`), two URIs (X509-SVID 2), or something about that which cannot be read. Names of other forms and
 * other extensions are read over, critical or not, since nothing that is asked for is ever put into a certificate.
 */
export function judgeWishes(requests: readonly Wishes[]): Result<readonly string[], string> {
  const uris: string[] = [];
  for (const wishes of requests) {
    for (const [oid, { value }] of wishes) {
      const more = judgeWish(oid, value, uris);
      const wrong = value.failure ?? more;
      if (wrong !== undefined) return err(wrong);
    }
  }
  return uris.length > 1 ? err('asks for more than one URI') : ok(uris);
}

/** Adds to `uris`, or says what is wrong. What cannot be read is a failure of `value`. */
function judgeWish(oid: string, value: DerReader, uris: string[]): string | undefined {
  switch (oid) {
    case OID.basicConstraints: {
      const { cA } = readBasicConstraints(value);
      value.close('basic constraints');
      return cA ? 'asks to be a CA (basic constraints)' : undefined;
    }
    case OID.keyUsage: {
      const bits = readNamedBits(value, 'key usage');
      value.close('key usage');
      const signs = bits.has(KEY_USAGE.keyCertSign) || bits.has(KEY_USAGE.cRLSign);
      return signs ? 'asks to be a CA (key usage)' : undefined;
    }
    case OID.subjectAltName: {
      for (const name of readGeneralNames(value, 'subject alternative name')) {
        if (name.form === 'uri') uris.push(name.text);
      }
      value.close('subject alternative name');
      return undefined;
    }
    default:
      return undefined;
  }
}
