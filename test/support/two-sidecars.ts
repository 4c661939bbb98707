import type { TestContext } from 'node:test';

import { createAuthority } from './pki.ts';
import { startSystem, type System, type SystemOptions } from './system.ts';

export const PLANNER_ID = 'spiffe://example.org/planner';
export const RESEARCHER_ID = 'spiffe://example.org/researcher';

/** The host by which the planner calls the researcher. */
export const RESEARCHER_HOST = 'researcher.internal';

export type PairOptions = {
  /** The researcher agent. */
  readonly upstream: string;
  /** Policy of both sidecars. */
  readonly policy: SystemOptions['policy'];
  /** Further keys of the one destination, and of the one outbound listener. */
  readonly destination?: Readonly<Record<string, unknown>>;
  readonly outbound?: Readonly<Record<string, unknown>>;
  readonly mode?: 'enforce' | 'shadow';
  /** Files of the planner's folder that its outbound listener names. */
  readonly files?: Readonly<Record<string, string>>;
};

/** A planner's sidecar, whose outbound listener leads to a researcher's sidecar, behind which is the researcher agent. */
export type Pair = {
  readonly planner: System;
  readonly researcher: System;
  /** Port of the planner's outbound listener. */
  readonly port: number;
};

/** Starts both, under one authority. */
export async function startPair(context: TestContext, options: PairOptions): Promise<Pair> {
  const authority = createAuthority();
  const shared = { authority, policy: options.policy, ...(options.mode !== undefined && { mode: options.mode }) };
  const researcher = await startSystem(context, { ...shared, upstream: options.upstream, ownId: RESEARCHER_ID });
  const address = `127.0.0.1:${researcher.sidecar.port}`;
  const destinations = { [RESEARCHER_HOST]: { address, id: RESEARCHER_ID, ...options.destination } };
  const planner = await startSystem(context, {
    ...shared,
    // The planner agent is the test itself, which only calls.
    upstream: options.upstream,
    ownId: PLANNER_ID,
    ...(options.files !== undefined && { files: options.files }),
    config: { outbound: [{ listen: '127.0.0.1:0', destinations, ...options.outbound }] },
  });
  return { planner, researcher, port: planner.sidecar.outboundPort() };
}
