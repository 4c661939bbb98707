/** An address to listen on. `host` is a literal IP address; port 0 asks the system for any free one. */
export type ListenAddress = { readonly host: string; readonly port: number };

/** Where allowed requests go, and how they are spoken there. */
export type Upstream = {
  /** `http1`: HTTP/1.1. `h2c`: HTTP/2 without TLS. `auto`: gRPC over h2c, the rest over HTTP/1.1, whatever the peer speaks. `tcp`: bytes after the connection's decision. */
  readonly protocol: 'http1' | 'h2c' | 'auto' | 'tcp';
  readonly address:
    | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
    | { readonly kind: 'unix'; readonly path: string };
};

const SCHEMES = { http: 'http1', h2c: 'h2c', auto: 'auto', tcp: 'tcp' } as const;

/** Longest path of a unix socket that every supported system can hold (sun_path less its final NUL; macOS 103, Linux 107). */
const MAX_SOCKET_PATH = 103;

/**
 * Reads `0.0.0.0:8443` or `[::]:8443`. A host name is no listen address (it may mean several), and `:8443` neither: which families it
 * means differs from tool to tool. Undefined for anything that is not exactly of this form.
 */
export function parseListen(text: string): ListenAddress | undefined {
  const split = hostAndPort(text, 0);
  if (split === undefined || split.host === 'localhost' || ipFamily(split.host) === undefined) return undefined;
  return split;
}

/** Reads the upstream URLs of the configuration; the port is always needed, and nothing may follow it. */
export function parseUpstream(text: string): Upstream | undefined {
  const separator = text.indexOf('://');
  const scheme = text.slice(0, separator);
  const rest = text.slice(separator + 3);
  if (separator < 0) return undefined;
  if (scheme === 'http+unix') return unixUpstream(rest);
  if (!Object.hasOwn(SCHEMES, scheme)) return undefined;
  const target = hostAndPort(rest, 1);
  if (target === undefined) return undefined;
  return { protocol: SCHEMES[scheme as keyof typeof SCHEMES], address: { kind: 'tcp', ...target } };
}

/** Where the agent's own calls come in: an address, or a unix socket by its absolute path. */
export type OutboundListen =
  | ({ readonly kind: 'tcp' } & ListenAddress)
  | { readonly kind: 'unix'; readonly path: string };

/** Reads `127.0.0.1:15001` or `unix:///run/agent/outbound.sock`. */
export function parseOutboundListen(text: string): OutboundListen | undefined {
  if (text.startsWith('unix://')) {
    const unix = unixUpstream(text.slice('unix://'.length));
    return unix?.address.kind === 'unix' ? unix.address : undefined;
  }
  const tcp = parseListen(text);
  return tcp === undefined ? undefined : { kind: 'tcp', ...tcp };
}

/** Reads `HOST:PORT` of another side: a name or an address. */
export function parseDestinationAddress(text: string): ListenAddress | undefined {
  return hostAndPort(text, 1);
}

/** True where only this machine can answer: a unix socket, 127.0.0.0/8, ::1 or `localhost`. */
export function staysOnThisMachine(upstream: Upstream): boolean {
  return upstream.address.kind === 'unix' || isLoopback(upstream.address.host);
}

/** True for 127.0.0.0/8, ::1 (RFC 4291 2.5.3) and the name `localhost` (RFC 6761 6.3). */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return ipFamily(host) === 4 && host.startsWith('127.');
}

/** 4 or 6 for a literal address in its canonical form, undefined for a name. IPv4 is four plain decimal numbers, nothing shorter. */
export function ipFamily(host: string): 4 | 6 | undefined {
  if (/^(?:(?:0|[1-9]\d{0,2})(?:\.(?!$)|$)){4}$/.test(host)) {
    return host.split('.').every((part) => Number(part) <= 255) ? 4 : undefined;
  }
  return host.includes(':') ? 6 : undefined;
}

function unixUpstream(path: string): Upstream | undefined {
  const plain = path.startsWith('/') && !path.endsWith('/') && !/[\0?#]/.test(path);
  if (!plain || new TextEncoder().encode(path).length > MAX_SOCKET_PATH) return undefined;
  return { protocol: 'http1', address: { kind: 'unix', path } };
}

function hostAndPort(text: string, minPort: number): ListenAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:/?#@\s]+)):(0|[1-9]\d{0,4})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < minPort || port > 65_535) return undefined;
  const host = match[1] === undefined ? hostName(match[2] ?? '') : ipv6(match[1]);
  return host === undefined ? undefined : { host, port };
}

/** An IPv4 address or a host name (RFC 1123 2.1), lower case. A name whose last label is a number is neither (WHATWG URL 3.5). */
function hostName(text: string): string | undefined {
  const name = text.toLowerCase();
  if (ipFamily(name) === 4) return name;
  const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
  const isName = name.length <= 253 && new RegExp(`^${label}(?:\\.${label})*$`).test(name);
  return isName && !/(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(name) ? name : undefined;
}

/** The canonical text of an IPv6 address (RFC 5952), by the URL parser every runtime has. */
function ipv6(text: string): string | undefined {
  const url = URL.parse(`http://[${text}]/`);
  return url === null ? undefined : url.hostname.slice(1, -1);
}
