import { CLOSED, type Seen } from './demo-calls.ts';
import { GrpcCaller } from './demo-grpc-caller.ts';
import { HttpCaller } from './demo-http-caller.ts';
import { McpCaller } from './demo-mcp-caller.ts';

import type { AgentName, GuardedAgents } from './demo-agents.ts';
import type { CallerIdentity, CallerName } from './demo-identities.ts';

/** The clients of one caller. */
export type Clients = {
  readonly mcp: McpCaller;
  readonly http: HttpCaller;
  readonly planner: HttpCaller;
  readonly grpc: GrpcCaller;
};

/** One call of the demo, and what must come of it. */
export type Step = {
  readonly who: CallerName;
  readonly agent: AgentName;
  readonly what: string;
  readonly expected: { readonly verdict: 'allow' | 'deny'; readonly status: string };
  /** Undefined for a decision that the call before led to: an agent called another one for it, in the same trace. */
  readonly run: ((clients: Clients) => Promise<Seen>) | undefined;
  /** Which of its sidecar's two sides decided. Default `inbound`. */
  readonly direction?: 'inbound' | 'outbound';
};

const allowed = (status: string): Step['expected'] => ({ verdict: 'allow', status });
const denied = (status: string): Step['expected'] => ({ verdict: 'deny', status });

const openSession = { agent: 'mcp', what: 'initialize', run: ({ mcp }: Clients) => mcp.open() } as const;

const tool = (name: string, args: Readonly<Record<string, unknown>> = {}) =>
  ({ agent: 'mcp', what: `tools/call ${name}`, run: ({ mcp }: Clients) => mcp.callTool(name, args) }) as const;

const http = (method: 'GET' | 'DELETE', path: string) =>
  ({ agent: 'http', what: `${method} ${path}`, run: ({ http }: Clients) => http.call(method, path) }) as const;

/** The planner, which calls the researcher for it. */
const brief = (name: string) =>
  ({
    agent: 'planner',
    what: `GET /brief/${name}`,
    run: ({ planner }: Clients) => planner.call('GET', `/brief/${name}`),
  }) as const;

const leadsTo = (agent: AgentName, direction: 'inbound' | 'outbound', what: string) =>
  ({ agent, direction, what, run: undefined }) as const;

const now = { agent: 'grpc', what: 'Now (unary)', run: ({ grpc }: Clients) => grpc.now() } as const;
const watch = {
  agent: 'grpc',
  what: 'Watch (server streaming)',
  run: ({ grpc }: Clients) => grpc.watch(),
} as const;
const upload = {
  agent: 'grpc',
  what: 'Upload (client streaming)',
  run: ({ grpc }: Clients) => grpc.upload(),
} as const;
const converse = {
  agent: 'grpc',
  what: 'Converse (bidirectional)',
  run: ({ grpc }: Clients) => grpc.converse(),
} as const;

/** PERMISSION_DENIED and UNAVAILABLE (gRPC status codes). */
const GRPC_DENIED = 'grpc 7';
const GRPC_UNAVAILABLE = 'grpc 14';

/** All calls, in their order. */
export const STEPS: readonly Step[] = [
  { who: 'reader', ...openSession, expected: allowed('200') },
  { who: 'reader', ...tool('echo', { message: 'hello' }), expected: allowed('200') },
  { who: 'reader', ...tool('get-sum', { a: 2, b: 3 }), expected: denied('403') },
  { who: 'reader', ...http('GET', '/reports/weekly'), expected: allowed('200') },
  { who: 'reader', ...http('GET', '/reports/salaries'), expected: denied('403') },
  { who: 'reader', ...now, expected: allowed('grpc 0') },
  { who: 'reader', ...watch, expected: allowed('grpc 0') },
  { who: 'reader', ...upload, expected: denied(GRPC_DENIED) },
  { who: 'reader', ...converse, expected: denied(GRPC_DENIED) },
  { who: 'reader', ...brief('weekly'), expected: allowed('200') },
  { who: 'planner', ...leadsTo('planner', 'outbound', 'calls the researcher'), expected: allowed('200') },
  { who: 'planner', ...leadsTo('http', 'inbound', 'GET /reports/weekly'), expected: allowed('200') },
  { who: 'reader', ...brief('gossip'), expected: allowed('502') },
  { who: 'planner', ...leadsTo('planner', 'outbound', 'calls a tabloid'), expected: denied('403') },
  { who: 'planner', ...openSession, expected: allowed('200') },
  { who: 'planner', ...tool('get-sum', { a: 2, b: 3 }), expected: allowed('200') },
  { who: 'planner', ...tool('get-env'), expected: denied('403') },
  { who: 'planner', ...http('GET', '/reports/salaries'), expected: allowed('200') },
  { who: 'planner', ...http('DELETE', '/reports/weekly'), expected: allowed('204') },
  { who: 'planner', ...now, expected: allowed('grpc 0') },
  { who: 'planner', ...watch, expected: allowed('grpc 0') },
  { who: 'planner', ...upload, expected: allowed('grpc 0') },
  { who: 'planner', ...converse, expected: allowed('grpc 0') },
  { who: 'stranger', ...openSession, expected: denied(CLOSED) },
  { who: 'stranger', ...http('GET', '/reports/weekly'), expected: denied(CLOSED) },
  { who: 'stranger', ...now, expected: denied(GRPC_UNAVAILABLE) },
];

/** Runs `use` with the clients of one caller, and closes them. */
export async function withClients(
  identity: CallerIdentity,
  agents: GuardedAgents,
  proto: string,
  use: (clients: Clients) => Promise<void>,
): Promise<void> {
  const clients: Clients = {
    mcp: new McpCaller(identity, agents.mcp.port),
    http: new HttpCaller(identity, agents.http.port),
    planner: new HttpCaller(identity, agents.planner.port),
    grpc: new GrpcCaller(identity, agents.grpc.port, proto),
  };
  try {
    await use(clients);
  } finally {
    clients.grpc.close();
    await Promise.all([clients.mcp.close(), clients.http.close(), clients.planner.close()]);
  }
}
