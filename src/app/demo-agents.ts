import { writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';

import { journalName, sidecarConfig } from './demo-config.ts';

import type { Clone } from './demo-clone.ts';
import type { OwnedProcess, Program } from './demo-process.ts';
import type { Processes } from './demo-processes.ts';

/** The agents of the demo that wait to be called, by the protocol that each speaks. */
export const AGENTS = ['mcp', 'http', 'grpc'] as const;

/** The agent that calls another one: it is the planner, and asks `http`, whom it knows as the researcher. */
export const PLANNER = 'planner';

export type AgentName = (typeof AGENTS)[number] | typeof PLANNER;

/** An agent behind its sidecar, ready to be called. */
export type GuardedAgent = {
  readonly name: AgentName;
  /** Port of the sidecar on 127.0.0.1. */
  readonly port: number;
  /** Absolute path of the decision records. */
  readonly journal: string;
};

/** All of them. */
export type GuardedAgents = Readonly<Record<AgentName, GuardedAgent>>;

/** How long agents and sidecars may take to be ready, milliseconds: some hundred are usual, a loaded machine takes longer. */
const START_MS = 30_000;

const POLL_MS = 20;

/** Longest path of a unix socket that all supported systems can hold. */
const MAX_SOCKET_PATH = 103;

/** Starts the three agents that wait to be called, none of which knows of a sidecar. Gives their upstream URLs when those that choose a port have said which. */
export async function startAgents(
  clone: Clone,
  folder: string,
  processes: Processes,
): Promise<Readonly<Record<(typeof AGENTS)[number], string>>> {
  // The MCP server listens on all interfaces when given a port, where anyone could pass its sidecar by. It also takes the path of a socket.
  const socket = socketIn(folder, 'mcp.sock');
  processes.start({ name: 'the MCP server', args: [clone.mcpServer, 'streamableHttp'], env: { PORT: socket } });
  const [http, grpc] = await Promise.all([
    startOrdinary({ name: 'the HTTP agent', args: [clone.httpServer] }, processes),
    startOrdinary({ name: 'the gRPC agent', args: [clone.grpcServer] }, processes),
  ]);
  return { mcp: `http+unix://${socket}`, http: `http://127.0.0.1:${http}`, grpc: `h2c://127.0.0.1:${grpc}` };
}

function socketIn(folder: string, name: string): string {
  const socket = join(folder, name);
  if (socket.length > MAX_SOCKET_PATH)
    throw new Error(`${socket} is too long for a unix socket; set TMPDIR to a shorter path`);
  return socket;
}

function startOrdinary(program: Program, processes: Processes): Promise<number> {
  return processes.start(program).line((line) => numberOf(parsed(line), 'listening'), START_MS);
}

/** Writes a configuration and starts a sidecar for one agent; resolves when it says that it and the agent behind it are ready. */
export async function startSidecar(
  clone: Clone,
  folder: string,
  name: (typeof AGENTS)[number],
  upstream: string,
  processes: Processes,
): Promise<GuardedAgent> {
  const sidecar = await runSidecar(clone, folder, name, sidecarConfig(name, upstream), processes);
  return guarded(sidecar, folder, name);
}

/**
 * Starts the planner behind its sidecar, `researcher` being the port of the other's. The sidecar comes first: the agent is told, as any HTTP client can be,
 * that its calls go through a proxy, and that is the sidecar.
 */
export async function startPlanner(
  clone: Clone,
  folder: string,
  researcher: number,
  processes: Processes,
): Promise<GuardedAgent> {
  const socket = socketIn(folder, 'planner.sock');
  const calls = [{ host: 'researcher.internal', port: researcher, agent: 'http' }];
  const config = sidecarConfig(PLANNER, `http+unix://${socket}`, calls);
  const sidecar = await runSidecar(clone, folder, PLANNER, config, processes);
  const proxy = await portOf(sidecar, 'outbound listening');
  processes.start({
    name: 'the planner',
    args: [clone.plannerServer, socket],
    env: { HTTP_PROXY: `http://127.0.0.1:${proxy}` },
  });
  return guarded(sidecar, folder, PLANNER);
}

async function runSidecar(
  clone: Clone,
  folder: string,
  name: AgentName,
  text: string,
  processes: Processes,
): Promise<OwnedProcess> {
  const config = join(folder, `${name}.yaml`);
  await writeFile(config, text);
  return processes.start({ name: `the sidecar of ${name}`, args: [clone.sallyport, 'run', '--config', config] });
}

/** Resolves when the sidecar says that it and the agent behind it are ready. */
async function guarded(sidecar: OwnedProcess, folder: string, name: AgentName): Promise<GuardedAgent> {
  const [port, admin] = await Promise.all([portOf(sidecar, 'listening'), portOf(sidecar, 'admin listening')]);
  await ready(`http://127.0.0.1:${admin}/readyz`, sidecar);
  return { name, port, journal: join(folder, journalName(name)) };
}

/** The port that a line of the sidecar's process log names. */
function portOf(sidecar: OwnedProcess, message: string): Promise<number> {
  return sidecar.line((line) => {
    const entry = parsed(line);
    return entry['msg'] === message ? numberOf(entry, 'port') : undefined;
  }, START_MS);
}

/** Asks until the answer is 200: policy, identity and the agent are there. */
async function ready(url: string, sidecar: OwnedProcess): Promise<void> {
  const deadline = performance.now() + START_MS;
  const died = sidecar.ended().then((fault) => Promise.reject(fault));
  while (!(await Promise.race([answersOk(url), died]))) {
    if (performance.now() > deadline) throw new Error(`${sidecar.name} is not ready after ${START_MS} ms`);
    await Promise.race([new Promise((resolve) => setTimeout(resolve, POLL_MS)), died]);
  }
}

function answersOk(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    // A connection for each question: a kept one would outlive its use.
    get(url, { agent: false }, (answer) => resolve(answer.resume().statusCode === 200)).on('error', () =>
      resolve(false),
    );
  });
}

function parsed(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function numberOf(entry: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = entry[key];
  return typeof value === 'number' ? value : undefined;
}
