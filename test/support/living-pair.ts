import type { TestContext } from 'node:test';

import type { AuthorityProcess } from './authority-process.ts';
import { livingFolder, startLiving, type LivingOptions } from './living-sidecar.ts';
import type { SidecarProcess } from './sidecar-process.ts';
import { PLANNER_ID, RESEARCHER_HOST, RESEARCHER_ID } from './two-sidecars.ts';

/** A planner's sidecar, whose outbound listener leads to a researcher's, both with identities of one authority. */
export type LivingPair = {
  readonly planner: SidecarProcess;
  readonly researcher: SidecarProcess;
  /** Port of the planner's outbound listener. */
  readonly port: number;
};

/** Starts both; each enrols by a join token. */
export async function startLivingPair(
  context: TestContext,
  authority: AuthorityProcess,
  options: Pick<LivingOptions, 'identity' | 'policy' | 'upstream'>,
): Promise<LivingPair> {
  const researcher = await startLiving(
    context,
    await livingFolder(context, authority, { ...options, id: RESEARCHER_ID }),
  );
  const destinations = { [RESEARCHER_HOST]: { address: `127.0.0.1:${researcher.port}`, id: RESEARCHER_ID } };
  // The planner agent is the test itself, which only calls.
  const config = { outbound: [{ listen: '127.0.0.1:0', destinations }] };
  const planner = await startLiving(
    context,
    await livingFolder(context, authority, { ...options, id: PLANNER_ID, config }),
  );
  return { planner, researcher, port: planner.outboundPort() };
}
