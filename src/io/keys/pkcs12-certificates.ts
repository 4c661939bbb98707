import forge from 'node-forge';

type Node = forge.asn1.Asn1;

const { asn1, pki } = forge;

/** What forge has and its types leave out. */
type Pbe = { getCipher(oid: string, parameters: Node, passphrase: string): forge.cipher.BlockCipher };
const { pbe } = pki as unknown as { readonly pbe: Pbe };

/**
 * The certificates of a PKCS#12 file whose MAC was checked, each byte for byte as it stands there (RFC 7292 4.1 to 4.2.3): forge's own reading
 * writes parsed certificates anew, and what is written anew is no longer what was signed. Throws where the file is not of that form.
 */
export function certificatesOf(pfx: Node, passphrase: string): readonly Uint8Array[] {
  const authSafe = parse(octetsOf(inner(inner(pfx, 1), 1, 0)));
  return children(authSafe)
    .flatMap((info) => children(parse(safeContentsOf(info, passphrase))))
    .flatMap(certificateOf);
}

/** SafeContents of one ContentInfo: plain, or encrypted with the passphrase (PKCS #7 EncryptedData, RFC 2315 13). */
function safeContentsOf(info: Node, passphrase: string): string {
  const type = oidOf(inner(info, 0));
  if (type === pki.oids['data']) return octetsOf(inner(info, 1, 0));
  if (type !== pki.oids['encryptedData']) return EMPTY;
  const content = inner(info, 1, 0, 1);
  const algorithm = inner(content, 1);
  const cipher = pbe.getCipher(oidOf(inner(algorithm, 0)), inner(algorithm, 1), passphrase);
  cipher.update(forge.util.createBuffer(octetsOf(inner(content, 2))));
  if (!cipher.finish()) throw new Error('the contents cannot be decrypted');
  return cipher.output.getBytes();
}

/** An empty SEQUENCE. */
const EMPTY = '\x30\x00';

/** SafeBag { bagId, [0] CertBag { certId, [0] OCTET STRING } }, where it is one with an X.509 certificate. */
function certificateOf(bag: Node): readonly Uint8Array[] {
  if (oidOf(inner(bag, 0)) !== pki.oids['certBag']) return [];
  const cert = inner(bag, 1, 0);
  return oidOf(inner(cert, 0)) === pki.oids['x509Certificate']
    ? [new Uint8Array(Buffer.from(octetsOf(inner(cert, 1, 0)), 'binary'))]
    : [];
}

function parse(der: string): Node {
  return asn1.fromDer(forge.util.createBuffer(der));
}

function children(node: Node): readonly Node[] {
  if (typeof node.value === 'string') throw new Error('a primitive value in place of a list');
  return node.value;
}

function inner(node: Node, ...path: readonly number[]): Node {
  return path.reduce((at, index) => {
    const child = children(at)[index];
    if (child === undefined) throw new Error('a part is missing');
    return child;
  }, node);
}

/** Bytes of an OCTET STRING, which BER may give in parts (X.690 8.7). */
function octetsOf(node: Node): string {
  return typeof node.value === 'string' ? node.value : node.value.map(octetsOf).join('');
}

function oidOf(node: Node): string {
  return asn1.derToOid(forge.util.createBuffer(octetsOf(node)));
}
