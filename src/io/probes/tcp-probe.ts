import { connect } from 'node:net';

import { attempt, unwell, WELL, type ProbeVerdict } from './verdict.ts';

/** Where agents are asked: in our own pod, whatever a configuration or an answer says. */
export const AGENT_HOST = '127.0.0.1';

/** A TCP probe: good as soon as a connection is accepted (kubelet, `pkg/probe/tcp`). No byte is sent. Never rejects. */
export function probeTcp(port: number, timeoutMs: number): Promise<ProbeVerdict> {
  const { end, onEnd, done } = attempt(timeoutMs);
  const socket = connect({ host: AGENT_HOST, port });
  onEnd(() => socket.destroy());
  socket.on('connect', () => end(WELL));
  socket.on('error', (error) => end(unwell(error.message)));
  return done;
}
