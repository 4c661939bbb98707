import type { Socket } from 'node:net';

import { ok, type Result } from '../../core/kernel/result.ts';
import type { ProvenServer } from '../../core/model/destination.ts';
import type { Fault } from '../../core/model/faults.ts';
import { connectTo, type UpstreamAddress } from './address.ts';

/** A connection that requests may be written to. */
export type Dialled = {
  readonly socket: Socket;
  /** Who proved to be at its other end, where that was asked. */
  readonly server: ProvenServer | undefined;
  /** False from when it should take no further requests, because its end is known and near. One that was never used takes one all the same. */
  readonly isFresh: () => boolean;
};

/** Makes one connection. Calls back once, at once or later; not after it was given up by the function it returns. */
export type Dial = (done: (dialled: Result<Dialled, Fault>) => void) => () => void;

const NOTHING_TO_GIVE_UP = (): void => {};
const ALWAYS = (): boolean => true;

/** A way to dial for one who has a connection already; to be used once. */
export function ready(dialled: Dialled): Dial {
  return (done) => {
    done(ok(dialled));
    return NOTHING_TO_GIVE_UP;
  };
}

/** Connections to the agent, without TLS: handed out before they stand, what comes of them shows in use. */
export function plainDial(address: UpstreamAddress): Dial {
  return (done) => {
    done(ok({ socket: connectTo(address, false), server: undefined, isFresh: ALWAYS }));
    return NOTHING_TO_GIVE_UP;
  };
}
