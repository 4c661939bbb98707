import { writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';

import { journalName, sidecarConfig } from './demo-config.ts';

import type { Clone } from './demo-clone.ts';
import type { OwnedProcess, Program } from './demo-process.ts';
import type { Processes } from './demo-processes.ts';

/** The agents of the demo, by the protocol that each speaks. */
export const AGENTS = ['mcp', 'http', 'grpc'] as const;

export type AgentName = (typeof AGENTS)[number];

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

/** Starts the three agents, none of which knows of a sidecar. Gives their upstream URLs when those that choose a port have said which. */
export async function startAgents(
  clone: Clone,
  folder: string,
  processes: Processes,
): Promise<Readonly<Record<AgentName, string>>> {
  // The MCP server listens on all interfaces when given a port, where anyone could pass its sidecar by. It also takes the path of a socket.
  const socket = join(folder, 'mcp.sock');
  if (socket.length > MAX_SOCKET_PATH)
    throw new Error(`${socket} is too long for a unix socket; set TMPDIR to a shorter path`);
  processes.start({ name: 'the MCP server', args: [clone.mcpServer, 'streamableHttp'], env: { PORT: socket } });
  const [http, grpc] = await Promise.all([
    startOrdinary({ name: 'the HTTP agent', args: [clone.httpServer] }, processes),
    startOrdinary({ name: 'the gRPC agent', args: [clone.grpcServer] }, processes),
  ]);
  return { mcp: `http+unix://${socket}`, http: `http://127.0.0.1:${http}`, grpc: `h2c://127.0.0.1:${grpc}` };
}

function startOrdinary(program: Program, processes: Processes): Promise<number> {
  return processes.start(program).line((line) => numberOf(parsed(line), 'listening'), START_MS);
}

/** Writes a configuration and starts a sidecar for one agent; resolves when it says that it and the agent behind it are ready. */
export async function startSidecar(
  clone: Clone,
  folder: string,
  name: AgentName,
  upstream: string,
  processes: Processes,
): Promise<GuardedAgent> {
  const config = join(folder, `${name}.yaml`);
  await writeFile(config, sidecarConfig(name, upstream));
  const sidecar = processes.start({
    name: `the sidecar of ${name}`,
    args: [clone.sallyport, 'run', '--config', config],
  });
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
