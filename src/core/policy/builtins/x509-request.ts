import { BuiltinError } from '../builtin.ts';
import { NULL, arr, bool, num, str } from '../term.ts';
import type { Term } from '../term.ts';
import { DerReader, TAG, context, integerOf } from './der.ts';
import type { DerElement } from './der.ts';
import { textOf } from './go-bytes.ts';
import { readKeyInfo } from './public-key.ts';
import { findExtension, readAlternativeNames, readExtensions } from './x509-extensions.ts';
import type { Extension } from './x509-extensions.ts';
import { bytesTerm, extensionTerm, fields, nameTerm, namesTerms, publicKeyTerm, slice } from './x509-json.ts';
import { readName } from './x509-name.ts';
import { signatureAlgorithmOf } from './x509-signature.ts';

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';

/** A certificate signing request (RFC 2986 4) as OPA shows it: Go's `x509.CertificateRequest` in JSON. */
export function requestTerm(der: Uint8Array): Term {
  const reader = new DerReader(der);
  const raw = reader.element(TAG.sequence).whole;
  if (!reader.empty) throw new BuiltinError('data after the request');
  const outer = new DerReader(raw).into(TAG.sequence);
  const info = outer.element(TAG.sequence).whole;
  const algorithm = outer.body(TAG.sequence);
  const signature = outer.rightAligned();
  const inner = new DerReader(info).into(TAG.sequence);
  const version = inner.integer();
  const rawSubject = inner.element(TAG.sequence).whole;
  const rawKeyInfo = inner.element(TAG.sequence).whole;
  const attributes = Array.from(inner.optional(context(0, true))?.all() ?? [], ({ whole }) => whole);
  const keyInfo = readKeyInfo(rawKeyInfo);
  const extensions = requestedExtensions(attributes);
  const names = findExtension(extensions, '2.5.29.17');
  return fields({
    Raw: bytesTerm(raw),
    RawTBSCertificateRequest: bytesTerm(info),
    RawSubjectPublicKeyInfo: bytesTerm(rawKeyInfo),
    RawSubject: bytesTerm(rawSubject),
    Version: num(version),
    Signature: bytesTerm(signature),
    SignatureAlgorithm: num(signatureAlgorithmOf(algorithm)),
    PublicKeyAlgorithm: num(keyInfo.algorithm),
    PublicKey: keyInfo.key === undefined ? NULL : publicKeyTerm(keyInfo.key),
    Subject: nameTerm(readName(rawSubject)),
    Attributes: slice(attributes.flatMap(attributeTerm), (term) => term),
    Extensions: slice(extensions, extensionTerm),
    ExtraExtensions: NULL,
    ...namesTerms(names === undefined ? undefined : readAlternativeNames(names.value)),
  });
}

/** Extensions of all extension requests, each at most once. Attributes that are something else are read over. */
function requestedExtensions(attributes: readonly Uint8Array[]): Extension[] {
  const found = attributes.flatMap((attribute) => {
    const values = ignoringMalformed(() => {
      const reader = new DerReader(attribute).into(TAG.sequence);
      return reader.oid().join('.') === EXTENSION_REQUEST ? reader.body(TAG.set) : undefined;
    });
    return values === undefined || values.length === 0 ? [] : readExtensions(new DerReader(values).into(TAG.sequence));
  });
  const ids = new Set(found.map(({ id }) => id.join('.')));
  if (ids.size !== found.length) throw new BuiltinError('an extension is requested twice');
  return found;
}

function ignoringMalformed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (problem) {
    if (problem instanceof BuiltinError) return undefined;
    throw problem;
  }
}

/** An attribute that is a set of lists of types and values, as extension requests are; others are left out. */
function attributeTerm(attribute: Uint8Array): Term[] {
  const term = ignoringMalformed(() => {
    const reader = new DerReader(attribute).into(TAG.sequence);
    const type = arr(reader.oid().map(num));
    const lists = Array.from(reader.into(TAG.set).all(), (element) => {
      if (element.tag !== TAG.sequence) throw new BuiltinError('another kind of attribute');
      return slice(Array.from(new DerReader(element.body).all()), pairTerm);
    });
    return fields({ Type: type, Value: arr(lists) });
  });
  return term === undefined ? [] : [term];
}

function pairTerm({ tag, body }: DerElement): Term {
  if (tag !== TAG.sequence) throw new BuiltinError('another kind of attribute');
  const pair = new DerReader(body);
  const type = arr(pair.oid().map(num));
  return fields({ Type: type, Value: anyTerm(pair.any()) });
}

/** A value of any type as Go's `asn1` gives it to an interface, in JSON. */
function anyTerm({ tag, body, whole }: DerElement): Term {
  switch (tag) {
    case TAG.octetString:
      return bytesTerm(body);
    case TAG.boolean:
      return bool(new DerReader(whole).boolean());
    case TAG.integer:
      return num(integerOf(body));
    case TAG.oid:
      return arr(new DerReader(whole).oid().map(num));
    case TAG.utf8:
    case TAG.printable:
    case TAG.ia5:
    case TAG.numeric:
    case TAG.t61:
      return str(textOf(body));
    default:
      return NULL;
  }
}
