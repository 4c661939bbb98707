import { isIP } from 'node:net';

import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';

/** Where a Workload API is served. `shown`: as it was given, for messages. */
export type Endpoint = { readonly shown: string } & (
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
);

/** Where the socket is told when no configuration does (SPIFFE_Workload_Endpoint 4). */
export const SOCKET_VARIABLE = 'SPIFFE_ENDPOINT_SOCKET';

/** The longest path of a unix socket in bytes: `sun_path` holds 104 on macOS and 108 on Linux, with the final NUL. */
const MAX_PATH_BYTES = 103;

/** `tcp://1.2.3.4:5` or `tcp://[::1]:5`; the parts are checked after. */
const TCP = /^tcp:\/\/(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/i;

/** The socket to use: what is configured, else what the environment says. Undefined where neither does. */
export function socketOf(
  configured: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  return configured ?? (environment[SOCKET_VARIABLE] || undefined);
}

/**
 * Reads the address of a Workload API: `unix:///absolute/path` or `tcp://IP:port`, and nothing else (SPIFFE_Workload_Endpoint 4: no host names, no
 * path after an IP, no query, no user). The error says what is wrong and what is right.
 */
export function parseEndpoint(text: string): Result<Endpoint, string> {
  if (text.startsWith('unix:')) return parseUnix(text);
  if (text.startsWith('tcp:')) return parseTcp(text);
  return err(`${JSON.stringify(text.slice(0, 200))} is neither unix:///absolute/path nor tcp://IP:port`);
}

function parseUnix(text: string): Result<Endpoint, string> {
  const wrong = (why: string) => err(`${JSON.stringify(text.slice(0, 200))}: ${why}; write unix:///absolute/path`);
  if (!text.startsWith('unix:///')) return wrong('the path is not absolute, or a host stands before it');
  if (/[?#]/.test(text)) return wrong('query and fragment do not belong there');
  const path = decoded(text.slice('unix://'.length));
  if (path === undefined || path.includes('\0')) return wrong('the percent-encoding is no path');
  if (path === '/' || path.endsWith('/')) return wrong('that is a folder, not a socket');
  return Buffer.byteLength(path) > MAX_PATH_BYTES
    ? wrong(`a unix socket's path has at most ${MAX_PATH_BYTES} bytes`)
    : ok({ shown: text, kind: 'unix', path });
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function parseTcp(text: string): Result<Endpoint, string> {
  const [, v6, v4, digits] = TCP.exec(text) ?? [];
  const host = v6 ?? v4 ?? '';
  const port = Number(digits);
  const family = v6 === undefined ? 4 : 6;
  return isIP(host) === family && port >= 1 && port <= 65_535
    ? ok({ shown: text, kind: 'tcp', host, port })
    : err(
        `${JSON.stringify(text.slice(0, 200))}: write tcp://IP:port, with an IP address (no name) and nothing after it`,
      );
}
