import { sameBytes } from './go-bytes.ts';
import { readIp } from './ip-text.ts';
import type { Certificate } from './x509-certificate.ts';

const LABEL = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;

/** True where a certificate is good for a host, by its alternative names only (RFC 9525 6, as Go's `VerifyHostname`). */
export function matchesHost({ known }: Certificate, host: string): boolean {
  const ip = readIp(/^\[.+\]$/.test(host) ? host.slice(1, -1) : host);
  if (ip !== undefined)
    return (known.names?.ips ?? []).some((one) => sameBytes(mapped(one), mapped(Uint8Array.from(ip))));
  const name = asciiLower(host);
  const sound = isHost(name.replace(/\.$/, ''), false);
  return (known.names?.dns ?? []).some((pattern) => {
    if (sound && isHost(pattern, true))
      return matches(asciiLower(pattern).split('.'), name.replace(/\.$/, '').split('.'));
    return asciiLower(pattern) === name && name !== '' && name !== '.';
  });
}

/** IPv4 as IPv6, so that both ways of writing an address are one. */
function mapped(ip: Uint8Array): Uint8Array {
  return ip.length === 16 ? ip : Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...ip]);
}

function isHost(host: string, pattern: boolean): boolean {
  if (host === '*') return false;
  return host.split('.').every((label, at) => (pattern && at === 0 && label === '*') || LABEL.test(label));
}

/** An asterisk stands for the whole first label. */
function matches(pattern: readonly string[], host: readonly string[]): boolean {
  return (
    pattern.length === host.length && pattern.every((label, at) => (at === 0 && label === '*') || label === host[at])
  );
}

function asciiLower(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}
