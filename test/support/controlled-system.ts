import type { TestContext } from 'node:test';

import { startControlServer, type ControlServer } from './control-server.ts';
import { startHttpAgent } from './http-agent.ts';
import { startSystem, type System, type SystemPolicy } from './system.ts';
import { connectHttp1, get } from './system-clients.ts';

import type { RawConfig } from './sidecar-process.ts';

/** The token that the server of a controlled system asks for. */
export const TOKEN = 'token-of-the-test-0123456789';

/** A sidecar that runs, and the control plane that it speaks to. */
export type ControlledSystem = {
  readonly server: ControlServer;
  readonly system: System;
  /** Status of one request on a connection of its own. */
  readonly get: (path: string) => Promise<number>;
};

export type ControlledOptions = {
  /** The bundle that the server offers from the start. */
  readonly first?: Uint8Array | undefined;
  /** Keys of `policy`; files `control.pem` (the server's authority) and `trust.pem` (another) are there. */
  readonly config?: (server: ControlServer) => RawConfig;
  /** Keys at the top. */
  readonly top?: (server: ControlServer) => RawConfig;
};

/** A policy that allows paths below `/<word>`. */
export function allowing(word: string, revision: string): SystemPolicy {
  return { rego: `package test.authz\n\ndecision := input.parsed_path[0] == "${word}"\n`, revision };
}

/** Starts a control plane, and a sidecar that knows of it as the options say. */
export async function startControlledSystem(
  context: TestContext,
  options: ControlledOptions,
): Promise<ControlledSystem> {
  const server = await startControlServer(context);
  server.token = TOKEN;
  server.offer(options.first);
  const agent = await startHttpAgent(context, (_request, response) => response.end('ok'));
  const system = await startSystem(context, {
    upstream: `http://127.0.0.1:${agent.port}`,
    policy: allowing('a', 'file'),
    files: { 'control.pem': server.trustPem },
    ...(options.config !== undefined && { policyKeys: options.config(server) }),
    ...(options.top !== undefined && { config: options.top(server) }),
  });
  return { server, system, get: (path) => statusOf(context, system, path) };
}

export async function statusOf(context: TestContext, system: System, path: string): Promise<number> {
  const peer = await connectHttp1(context, system);
  const { status } = await get(peer, path, 'Connection: close\r\n');
  peer.close();
  return status;
}

/** What `/readyz` says of the process and of its policy. */
export async function ready(
  sidecar: System['sidecar'],
): Promise<{ readonly status: number; readonly policy: string; readonly journal: string }> {
  const { status, text } = await sidecar.admin('/readyz');
  const { parts } = JSON.parse(text) as { parts: Record<'policy' | 'journal', { detail: string }> };
  return { status, policy: parts.policy.detail, journal: parts.journal.detail };
}
