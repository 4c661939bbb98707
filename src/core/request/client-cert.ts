import type { SpiffeId } from '../kernel/brand.ts';
import type { CertificateFacts, IdentifiedPeer } from '../model/peer.ts';
import { classOf, isAll } from './characters.ts';

/** Names beyond this are left out: the value goes to the agent with every request of the connection. */
const MAX_DNS_NAMES = 32;

/**
 * The element of `x-forwarded-client-cert` that says who the peer is (Envoy, "x-forwarded-client-cert"; mode SANITIZE_SET: one element,
 * nothing of the peer's own). `by` is our own SPIFFE ID. Made once for a certificate, which most of a peer's connections share; visible ASCII only.
 *
 * `DNS` holds names of letters, digits, `-`, `.`, `_` and `*`; anything else in a certificate is no DNS name and is left out, so that no name can
 * close a quote or begin an element (Envoy CVE-2026-47778; Node CVE-2021-44532).
 */
export function forwardedClientCert(peer: IdentifiedPeer, by: SpiffeId | undefined): string {
  const { certificate, spiffeId } = peer;
  const before = known.get(certificate);
  if (before !== undefined && before.spiffeId === spiffeId && before.by === by) return before.text;
  const text = elementOf(peer, by);
  known.set(certificate, { spiffeId, by, text });
  return text;
}

/** What was last made of each certificate. */
const known = new WeakMap<
  CertificateFacts,
  { readonly spiffeId: SpiffeId; readonly by: SpiffeId | undefined; readonly text: string }
>();

function elementOf(peer: IdentifiedPeer, by: SpiffeId | undefined): string {
  const { certificate } = peer;
  const pairs = by === undefined ? [] : [`By=${quotedIfNeeded(by)}`];
  pairs.push(`Hash=${certificate.sha256}`, `Subject="${escapedSubject(certificate.subject)}"`);
  pairs.push(`URI=${quotedIfNeeded(peer.spiffeId)}`);
  const names = certificate.dnsNames.filter((name) => name.length > 0 && isAll(name, DNS_NAME));
  for (const name of names.slice(0, MAX_DNS_NAMES)) pairs.push(`DNS=${name}`);
  return pairs.join(';');
}

const DNS_NAME = classOf('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*');

/** A SPIFFE ID needs no quotes by its own grammar; the rule of the format is kept all the same. */
function quotedIfNeeded(value: string): string {
  return /[,;="]/.test(value) ? `"${value.replaceAll('"', String.raw`\"`)}"` : value;
}

/**
 * An RFC 4514 string as it may stand between quotes: `"` only as `\"`, as Envoy writes it, and no other back-slash before a quote, because
 * readers of the format differ on whether `\\"` ends the value. A back-slash and all that is not visible ASCII are therefore written as hexpairs,
 * which RFC 4514 section 2.4 allows for any octet and means the same.
 */
function escapedSubject(subject: string): string {
  return subject.replaceAll(SPECIAL, (found) => {
    if (found === '"' || found === String.raw`\"`) return String.raw`\"`;
    if (found === '\\' || found === '\\\\') return String.raw`\5C`;
    return hexPairs(found);
  });
}

/** An escape or bare character that is written anew. A back-slash before any other visible character is an RFC 4514 escape and stays. */
const SPECIAL = /\\["\\]|\\(?![\x20-\x7e])|"|[^\x20-\x7e]+/g;

const UTF8 = new TextEncoder();

function hexPairs(text: string): string {
  let pairs = '';
  for (const byte of UTF8.encode(text)) pairs += `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return pairs;
}
