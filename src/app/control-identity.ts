import { parseSpiffeId } from '../core/identity/spiffe-id.ts';
import { err, ok } from '../core/kernel/result.ts';
import { OwnContexts } from '../io/forward/own-context.ts';
import { serverVerdict, type JudgeServer } from '../io/forward/server-verdict.ts';
import { tlsIdentity } from './tls-identity.ts';
import { systemClock } from './system.ts';

import type { OwnIdentity } from '../io/control/peer-connection.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';

/** Our identity for servers of a control plane that prove a SPIFFE ID (`policy.bundleServer.peer`): the same, and judged by the same rules, as towards the destinations of the agent's calls. */
export function controlIdentity(snapshot: () => IdentitySnapshot | undefined, judge: JudgeServer): OwnIdentity {
  const contexts = new OwnContexts(
    () => tlsIdentity(snapshot()),
    () => systemClock.wallMs(),
  );
  return {
    context: () => {
      const own = contexts.current();
      return own.ok ? ok(own.value.context) : err(own.error.detail);
    },
    judge: (presented, peer) => {
      const expected = parseSpiffeId(peer);
      if (!expected.ok) return expected.error.detail;
      const verdict = serverVerdict(presented, judge(presented.chain, false), [expected.value.id]);
      return verdict.ok ? undefined : verdict.error.detail;
    },
  };
}
