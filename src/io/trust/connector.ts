import { buildConnector } from 'undici';

import { readPresentedChain } from '../../core/identity/presented-chain.ts';
import { EndpointRefused } from './fetch-fault.ts';

import type { TLSSocket } from 'node:tls';
import type { JudgeEndpoint } from './settings.ts';

/** Connects anew each time: nothing is resumed, so that the whole chain is there to be judged. */
const FRESH = { allowH2: false, maxCachedSessions: 0, timeout: 0, minVersion: 'TLSv1.2' } as const;

/** Connects to whom one of `authorities` (PEM) vouches for by the host's name. */
export function webConnector(authorities: readonly string[]): buildConnector.connector {
  // Said outright: NODE_TLS_REJECT_UNAUTHORIZED must not switch it off for what decides here.
  return buildConnector({ ...FRESH, ca: [...authorities], rejectUnauthorized: true });
}

/** Connects to whom `judge` accepts, whatever the host's name (SPIFFE Federation 5.2.2.4); not a byte of a request is written before. */
export function spiffeConnector(judge: JudgeEndpoint): buildConnector.connector {
  const connect = buildConnector({ ...FRESH, rejectUnauthorized: false });
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      const refusal = refusalOf(socket as TLSSocket, judge);
      if (refusal === undefined) {
        callback(null, socket);
        return;
      }
      socket.destroy();
      callback(new EndpointRefused(refusal), null);
    });
}

function refusalOf(socket: TLSSocket, judge: JudgeEndpoint): string | undefined {
  const presented = readPresentedChain(socket);
  if (!presented.ok) return presented.error.detail;
  const verdict = judge(presented.value.chain);
  return verdict.ok ? undefined : verdict.error;
}
