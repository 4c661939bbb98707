/** A mailbox (RFC 2821 4.1.2): what is before the last sign and the domain behind it, as Go takes it apart for name constraints. */
export type Mailbox = { readonly local: string; readonly domain: string };

const QUOTED = /^"((?:[\x01-\x08\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\[\x01-\x09\x0b\x0c\x0e-\x7f])*)"@/;
const PLAIN = /^((?:[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]|\\[^])+)@/;

/** Takes a mailbox apart; undefined where it is none. */
export function readMailbox(text: string): Mailbox | undefined {
  const quoted = text.startsWith('"');
  const found = (quoted ? QUOTED : PLAIN).exec(text);
  if (found === null) return undefined;
  const local = (found[1] ?? '').replaceAll(/\\([^])/g, '$1');
  if (!quoted && (local.startsWith('.') || local.endsWith('.') || local.includes('..'))) return undefined;
  const domain = text.slice(found[0].length);
  const labels = domain === '' ? [] : domain.split('.');
  return labels.every((label) => /^[\x21-\x7e]+$/.test(label)) ? { local, domain } : undefined;
}
