import type { JudgeIdentity } from '../core/gate/gate.ts';
import type { Clock } from '../core/kernel/clock.ts';
import { createVerdictCache, type VerdictCache } from '../core/identity/verdict-cache.ts';
import type { Verdict } from '../core/identity/verify.ts';
import { fault } from '../core/model/faults.ts';
import type { JudgeServer } from '../io/forward/server-verdict.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';

/** Peers whose verdicts are remembered between connections. */
const REMEMBERED_PEERS = 1_024;

/** Who judges the certificates of others by the identity in force. */
export type PeerJudges = {
  /** Those who call the agent. */
  readonly client: JudgeIdentity;
  /** Those whom the agent, or this sidecar itself, calls. */
  readonly server: JudgeServer;
};

/** Judges by what `identity` gives at each question; verdicts are remembered for each of both ways. `requireCrl`: who is in no revocation list's reach is refused. */
export function createPeerJudges(
  identity: () => IdentitySnapshot | undefined,
  requireCrl: boolean,
  clock: Clock,
): PeerJudges {
  const clients = createVerdictCache(REMEMBERED_PEERS, { purpose: 'client', requireCrl });
  const servers = createVerdictCache(REMEMBERED_PEERS, { purpose: 'server', requireCrl });
  return {
    client: ({ chain }, resumed) => judge(identity(), clients, { chain, resumed }, clock.wallMs()),
    server: (chain, resumed) => judge(identity(), servers, { chain, resumed }, clock.wallMs()),
  };
}

type Shown = { readonly chain: readonly Uint8Array[]; readonly resumed: boolean };

/** Nobody is judged good for longer than we ourselves are: at the end of our own certificate every connection is judged again, and ends. */
function judge(
  identity: IdentitySnapshot | undefined,
  verdicts: VerdictCache,
  { chain, resumed }: Shown,
  now: number,
): Verdict {
  if (identity === undefined) return unavailable('no identity is in force');
  const { validUntilMs } = identity.own;
  if (now >= validUntilMs) return unavailable('our own certificate has expired');
  const [leaf] = chain;
  const verdict =
    resumed && leaf !== undefined
      ? verdicts.judgeResumed(leaf, identity.trust, now)
      : verdicts.judge(chain, identity.trust, now);
  return verdict.kind === 'identified' && verdict.validUntilMs > validUntilMs ? { ...verdict, validUntilMs } : verdict;
}

function unavailable(detail: string): Verdict {
  return { kind: 'rejected', fault: fault('identity_unavailable', detail), claimedId: undefined };
}
