import { TRUST_DOMAIN } from './demo-identities.ts';

import type { GuardedAgents } from './demo-agents.ts';
import type { CallerName } from './demo-identities.ts';

/** What there is to try while the demo stays up. `folder`: the demo's folder, in which everything is. */
export function hints(folder: string, agents: GuardedAgents): string {
  const curl = (who: CallerName, path: string): string =>
    `  curl --cacert certs/${TRUST_DOMAIN}.pem --cert certs/${who}.pem --key certs/${who}.key https://localhost:${agents.http.port}${path}`;
  return `
The agents stay up behind their sidecars. In another terminal:

  cd ${folder}
${curl('reader', '/reports/weekly')}
${curl('reader', '/reports/salaries')}
${curl('stranger', '/reports/weekly')}

The first is allowed, the second refused by policy, the third by identity. Who may do what stands in policy/data.json;
add a right there and it holds for the next call. Every decision is in {mcp,http,grpc,planner}.journal.ndjson, and the sidecars run
with {mcp,http,grpc,planner}.yaml. In the clone: npx sallyport log show ${folder}/http.journal.ndjson

Ctrl-C ends everything and removes the folder.`;
}
