import { createHmac, timingSafeEqual } from 'node:crypto';

import forge from 'node-forge';

import { tooCostly } from './derivation-cost.ts';

type Node = forge.asn1.Asn1;
type Bytes = forge.util.ByteStringBuffer;

const { asn1, pki } = forge;

/** What forge has and its types leave out. */
type Pbe = {
  getCipher(oid: string, parameters: Node, passphrase: string): forge.cipher.BlockCipher;
  generatePkcs12Key(
    passphrase: string,
    salt: Bytes,
    id: number,
    iterations: number,
    length: number,
    digest: forge.md.MessageDigest,
  ): Bytes;
};
const { pbe } = pki as unknown as { readonly pbe: Pbe };
const bounded = asn1 as unknown as { fromDer(der: Bytes, options: object): Node };

/** What a PKCS#12 file holds, DER. Certificates are byte for byte as they stand there: written anew they would no longer be what was signed. */
export type Pkcs12Contents = {
  /** PrivateKeyInfo (RFC 5208 5). */
  readonly keys: readonly Uint8Array[];
  readonly certificates: readonly Uint8Array[];
};

/** A refusal that is told as it stands, apart from what forge throws. */
export class Pkcs12Refusal extends Error {}

/**
 * Rounds of key derivation that all parts of a file may ask for together. The MAC's and most ciphers' are computed in JavaScript, 100,000 to 200,000 a
 * second, on the thread that answers requests; the openssl command asks for 3 times 2,048.
 */
const MAX_ITERATIONS = 300_000;

/** Deep enough for any form of a certificate's bag; what stands within a certificate or a key is not gone into. */
const MAX_DEPTH = 32;

/** Bags in one file: keys, certificates, and whatever else a tool leaves. */
const MAX_BAGS = 64;

/** Digests of the MAC that are taken (RFC 7292 appendix B; SHA-1 is what many tools write to this day). */
const DIGESTS = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 } as const;

/**
 * Reads a PKCS#12 file (RFC 7292 4 and 5) of the password integrity mode. The MAC is checked before anything is decrypted, iterations are counted before
 * they are run. Throws `Pkcs12Refusal` where it can say why, and whatever forge throws where the file is not of that form.
 */
export function readContents(bytes: Uint8Array, passphrase: string): Pkcs12Contents {
  const work = new Work(passphrase);
  const pfx = parse(Buffer.from(bytes).toString('latin1'));
  const authSafe = octetsOf(inner(pfx, 1, 1, 0));
  work.checkMac(children(pfx)[2], authSafe);
  const bags = children(parse(authSafe)).flatMap((info) => children(parse(work.safeContents(info))));
  if (bags.length > MAX_BAGS) throw new Pkcs12Refusal(`holds more than ${MAX_BAGS} bags`);
  return { keys: bags.flatMap((bag) => work.keyOf(bag)), certificates: bags.flatMap(certificateOf) };
}

/** Deriving keys from the one passphrase, for all parts of a file, within bounds. */
class Work {
  readonly #passphrase: string;
  #iterations = 0;

  constructor(passphrase: string) {
    this.#passphrase = passphrase;
  }

  /** MacData { DigestInfo, salt, iterations DEFAULT 1 } (RFC 7292 4). */
  checkMac(mac: Node | undefined, authSafe: string): void {
    if (mac === undefined) throw new Pkcs12Refusal('has no MAC, so that nothing says whether it is whole');
    const oid = oidOf(inner(mac, 0, 0, 0));
    const name = (Object.keys(DIGESTS) as (keyof typeof DIGESTS)[]).find((digest) => pki.oids[digest] === oid);
    if (name === undefined)
      throw new Pkcs12Refusal(`has a MAC of a kind that is not known (${oid}); write it with \`-macalg sha256\``);
    const iterations = children(mac)[2] === undefined ? 1 : numberOf(inner(mac, 2));
    this.#take(iterations);
    const salt = forge.util.createBuffer(octetsOf(inner(mac, 1)));
    const key = pbe.generatePkcs12Key(this.#passphrase, salt, 3, iterations, DIGESTS[name], forge.md[name].create());
    const expected = createHmac(name, bytesOf(key.getBytes())).update(bytesOf(authSafe)).digest();
    const said = bytesOf(octetsOf(inner(mac, 0, 1)));
    if (said.length !== expected.length || !timingSafeEqual(said, expected))
      throw new Pkcs12Refusal('cannot be opened: the passphrase is wrong, or the file is damaged');
  }

  /** SafeContents of one ContentInfo: plain, or encrypted with the passphrase (PKCS #7 EncryptedData, RFC 2315 13). */
  safeContents(info: Node): string {
    const type = oidOf(inner(info, 0));
    if (type === pki.oids['data']) return octetsOf(inner(info, 1, 0));
    if (type !== pki.oids['encryptedData']) return EMPTY;
    const content = inner(info, 1, 0, 1);
    return this.#decrypt(inner(content, 1), octetsOf(inner(content, 2)));
  }

  /** The key of a bag with one: KeyBag, or PKCS8ShroudedKeyBag, which is an EncryptedPrivateKeyInfo (RFC 7292 4.2.1, 4.2.2). */
  keyOf(bag: Node): readonly Uint8Array[] {
    const type = oidOf(inner(bag, 0));
    if (type === pki.oids['keyBag']) return [bytesOf(asn1.toDer(inner(bag, 1, 0)).getBytes())];
    if (type !== pki.oids['pkcs8ShroudedKeyBag']) return [];
    const info = inner(bag, 1, 0);
    return [bytesOf(this.#decrypt(inner(info, 0), octetsOf(inner(info, 1))))];
  }

  /** PBES2 takes the passphrase as UTF-8, PKCS#12's own schemes as UTF-16 (RFC 7292 B.1). */
  #decrypt(algorithm: Node, encrypted: string): string {
    const oid = oidOf(inner(algorithm, 0));
    const parameters = inner(algorithm, 1);
    const isPbes2 = oid === pki.oids['pkcs5PBES2'];
    // PKCS#12's own schemes derive key and initialisation vector apart.
    this.#take(isPbes2 ? numberOf(inner(parameters, 0, 1, 1)) : 2 * numberOf(inner(parameters, 1)));
    const passphrase = isPbes2 ? Buffer.from(this.#passphrase, 'utf8').toString('latin1') : this.#passphrase;
    const cipher = pbe.getCipher(oid, parameters, passphrase);
    cipher.update(forge.util.createBuffer(encrypted));
    if (!cipher.finish()) throw new Pkcs12Refusal('has contents that the passphrase of its MAC does not decrypt');
    return cipher.output.getBytes();
  }

  #take(iterations: number): void {
    this.#iterations += iterations;
    if (!(this.#iterations <= MAX_ITERATIONS)) throw new Pkcs12Refusal(tooCostly(this.#iterations / MAX_ITERATIONS));
  }
}

/** An empty SEQUENCE. */
const EMPTY = '\x30\x00';

/** SafeBag { bagId, [0] CertBag { certId, [0] OCTET STRING } }, where it is one with an X.509 certificate. */
function certificateOf(bag: Node): readonly Uint8Array[] {
  if (oidOf(inner(bag, 0)) !== pki.oids['certBag']) return [];
  const cert = inner(bag, 1, 0);
  return oidOf(inner(cert, 0)) === pki.oids['x509Certificate'] ? [bytesOf(octetsOf(inner(cert, 1, 0)))] : [];
}

/** `maxDepth`: forge would follow nesting until the stack is at its end. */
function parse(der: string): Node {
  const options = { strict: true, parseAllBytes: true, decodeBitStrings: false, maxDepth: MAX_DEPTH };
  return bounded.fromDer(forge.util.createBuffer(der), options);
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

/** A positive INTEGER, of any size. */
function numberOf(node: Node): number {
  const octets = bytesOf(octetsOf(node));
  if (octets.length === 0 || (octets[0] ?? 0) >= 0x80) throw new Error('no positive number');
  return octets.reduce((value, octet) => value * 256 + octet, 0);
}

function oidOf(node: Node): string {
  return asn1.derToOid(forge.util.createBuffer(octetsOf(node)));
}

function bytesOf(binary: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(binary, 'latin1'));
}
