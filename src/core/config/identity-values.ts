import { parseSpiffeIdText } from '../kernel/spiffe-id-text.ts';
import { ipFamily } from './addresses.ts';
import { parseHttpUrl } from './targets.ts';

/** Where a revocation list is. */
export type ListLocation =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'http'; readonly url: string };

/** Where certificates stand: in a file, or right here as PEM. */
export type CertificatePlace =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'pem'; readonly pem: string };

/** Of certificates in a configuration: some dozens. */
const MAX_PEM = 131_072;

/** SPIFFE-ID 2.1: lower-case letters, digits, dots, dashes and underscores, at most 255 bytes. */
export const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;

/** Reads the PEM of certificates (RFC 7468), known by how it begins, or a path. Whether the certificates are any good is for whoever uses them. */
export function parseCertificatePlace(text: string): CertificatePlace | undefined {
  if (/^\s*-----BEGIN CERTIFICATE-----/.test(text))
    return text.length <= MAX_PEM ? { kind: 'pem', pem: text } : undefined;
  const isPath = text !== '' && text.length <= 4_096 && !/[\0\n]/.test(text);
  return isPath ? { kind: 'path', path: text } : undefined;
}

/** Reads a path, or an http(s) URL; any other scheme is a mistake rather than a strange file name. */
export function parseListLocation(text: string): ListLocation | undefined {
  const url = parseHttpUrl(text);
  if (url !== undefined) return { kind: 'http', url };
  const isPath =
    text !== '' && text.length <= 4_096 && !text.includes('\0') && !/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text);
  return isPath ? { kind: 'path', path: text } : undefined;
}

/** SPIFFE Workload Endpoint 4: `unix:///ABSOLUTE/PATH` or `tcp://IP:PORT`, and nothing else. The text itself where it is one. */
export function parseEndpointSocket(text: string): string | undefined {
  if (/^unix:\/\/\/[^?#\0]+$/.test(text)) return text;
  const tcp = /^tcp:\/\/(?:\[([^\]]+)\]|([0-9.]+)):([1-9]\d{0,4})$/.exec(text);
  const isAddress = tcp !== null && ipFamily(tcp[1] ?? tcp[2] ?? '') !== undefined && Number(tcp[3]) <= 65_535;
  return isAddress ? text : undefined;
}

/**
 * A SPIFFE ID in which `{namespace}` and `{serviceAccount}` stand once each, as whole segments or parts of them. What stands between them has a
 * character that no namespace has (RFC 1123 label), so that no two service accounts share an ID: with `{namespace}-{serviceAccount}`, `a` of `b-c` would
 * be `c` of `a-b`, and who may make namespaces would choose whom to be.
 */
export function parseIdTemplate(text: string): string | undefined {
  const holes = text.match(/\{[^}]*\}/g) ?? [];
  const isWhole =
    holes.length === 2 &&
    text.split('/')[2]?.includes('{') === false &&
    text.includes('{namespace}') &&
    text.includes('{serviceAccount}');
  const [, between = ''] = text.split(/\{[^}]*\}/);
  if (!/[^a-z0-9-]/.test(between)) return undefined;
  const filled = text.replace('{namespace}', 'a').replace('{serviceAccount}', 'b');
  return isWhole && parseSpiffeIdText(filled) !== undefined ? text : undefined;
}
