import { connect, type NetConnectOpts, type Socket } from 'node:net';

import type { Upstream } from '../../core/config/addresses.ts';

export type UpstreamAddress = Upstream['address'];

/** Opens a connection to the agent: no delay, so that small messages leave at once. */
export function connectTo(address: UpstreamAddress, allowHalfOpen: boolean): Socket {
  const target: NetConnectOpts =
    address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port, noDelay: true };
  return connect({ ...target, allowHalfOpen });
}
