import * as z from 'zod';

import { parseDestinationAddress, parseOutboundListen } from './addresses.ts';
import { count, duration, flag, list, mapOf, oneOf, path, section, text } from './fields.ts';
import { spiffeId } from './identity-section.ts';
import { limitsSection } from './limits-section.ts';
import { contextExtensionsSection, pathsSection } from './listener-section.ts';

/** `host`, `host:port`, `[ipv6]:port` or `*.suffix`, lower or upper case. */
const HOST_KEY = /^(?:\*\.)?[A-Za-z0-9._:[\]-]{1,260}$/;

const oneId = spiffeId('the other side');
const IDS = 'the SPIFFE ID that the other side must prove, or a list of them';

const destination = section({
  address: text('HOST:PORT', parseDestinationAddress, /^.+:[0-9]+$/).describe(
    "Address of the other side's sidecar. A name is resolved at each new connection.",
  ),
  id: z
    .union([oneId, list('SPIFFE IDs', oneId, 1)], { error: IDS })
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .describe('The identity that the other side must prove; of a list any one.'),
  protocol: oneOf('auto', 'http1', 'http2')
    .prefault('auto')
    .describe('How the other side is spoken to: `auto` HTTP/2 for gRPC, and for the rest what the other side chooses.'),
});

/** `outbound[]`. */
export const outboundSection = section({
  listen: text(
    'an IP address and a port, such as 127.0.0.1:15001, or unix:///PATH',
    parseOutboundListen,
    /^(\[[0-9A-Fa-f:.]+\]:[0-9]+|[0-9.]+:[0-9]+|unix:\/\/\/.+)$/,
  ).describe(
    "Address for the agent's own calls: plain HTTP/1.1, HTTP/2 or gRPC, on loopback; also an HTTP proxy (`HTTP_PROXY`) for http:// URLs. `unix:///PATH`: a socket that only this user may call.",
  ),
  token: path('a file with a token')
    .optional()
    .describe(
      'File with a token that every call must show (`HTTP_PROXY=http://agent:TOKEN@127.0.0.1:15001`); without it whoever reaches the listener calls in the name of this agent.',
    ),
  unsafeBeyondLoopback: flag()
    .prefault(false)
    .describe('Allow an address that other machines can reach: whoever does calls in the name of this agent.'),
  destinations: mapOf('a host, host:port or *.suffix', HOST_KEY, destination).describe(
    'The hosts that the agent may call, as it names them. Any other is refused.',
  ),
  retries: count(0, 5)
    .prefault(2)
    .describe(
      'How often a call is tried again where nothing can have happened twice: no connection, or refused unprocessed.',
    ),
  circuitBreaker: section({
    failures: count(1, 1_000).prefault(5).describe('Failures in a row that open the circuit to a destination.'),
    open: duration(100, 3_600_000).prefault('30s').describe('How long calls are refused at once before one is tried.'),
    requests: count(1, 1_000_000).prefault(1_024).describe('Calls to one destination that may be open at once.'),
  })
    .prefault({})
    .describe('When a destination that fails is left alone.'),
  paths: pathsSection,
  limits: limitsSection.prefault({}).describe('Bounds on what the agent can ask of its sidecar.'),
  contextExtensions: contextExtensionsSection,
});
