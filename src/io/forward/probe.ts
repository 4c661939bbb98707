import { connectTo, type UpstreamAddress } from './address.ts';

/** True where something accepts connections at `address` within `timeoutMs`. Not a byte is sent. Never rejects. */
export function isReachable(address: UpstreamAddress, timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connectTo(address, false);
  const settle = (reachable: boolean): void => {
    socket.destroy();
    resolve(reachable);
  };
  socket.setTimeout(timeoutMs, () => settle(false));
  socket.once('connect', () => settle(true));
  socket.on('error', () => settle(false));
  return promise;
}
