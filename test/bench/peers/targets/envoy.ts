import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { freePorts } from '../../../support/free-ports.ts';
import { rbacCannot } from '../access.ts';
import { installEnvoy } from '../install.ts';
import type { Judge, PolicyName, RunningTarget, Target, World } from '../target.ts';
import { envoyConfig, type EnvoyArrangement } from './envoy-config.ts';
import { opaVersion, startOpa } from './opa.ts';
import type { ProxyProcess } from './proxy-process.ts';
import { decisionLog, startProxy } from './proxy-process.ts';
import { started } from './started.ts';

const run = promisify(execFile);

/** Envoy alone: no policy, or its native RBAC filter; with an access log or without. */
function alone(id: string, title: string, kind: 'none' | 'rbac', isLogging: boolean): Target {
  const judge: Judge = kind === 'rbac' ? 'native RBAC' : 'nothing';
  return {
    id,
    title,
    judge,
    decisionLog: isLogging,
    version: envoyVersion,
    cannot: (policy) => (kind === 'rbac' ? rbacCannot(policy) : undefined),
    start: async (world, policy) => {
      const accessLog = await decisionLog(world, id);
      const arrangement = { judge: { kind }, ...(isLogging && { accessLog }) };
      const [command, port] = await Promise.all([installEnvoy(), freePort()]);
      const begun = performance.now();
      const envoy = await startEnvoy(world, policy, { id, command, port, arrangement });
      return started({ world, policy, judge, port, processes: [envoy], begun });
    },
  };
}

/** Envoy that asks OPA by ext_authz. */
function withOpa(id: string, title: string, isLogging: boolean): Target {
  return {
    id,
    title,
    judge: 'Rego',
    decisionLog: isLogging,
    version: async () => `${await envoyVersion()}, ${await opaVersion()}`,
    cannot: () => undefined,
    start: (world, policy) => startPair(world, policy, id, isLogging),
  };
}

async function startPair(world: World, policy: PolicyName, id: string, isLogging: boolean): Promise<RunningTarget> {
  const [command, port] = await Promise.all([installEnvoy(), freePort()]);
  const opa = await startOpa(world, policy, id, isLogging);
  const arrangement = { judge: { kind: 'authz', socket: opa.socket } } as const;
  const envoy = await startEnvoy(world, policy, { id, command, port, arrangement });
  return started({ world, policy, judge: 'Rego', port, processes: [opa.process, envoy], begun: opa.begun });
}

type EnvoyStart = {
  readonly id: string;
  readonly command: string;
  readonly port: number;
  readonly arrangement: EnvoyArrangement;
};

async function startEnvoy(world: World, policy: PolicyName, start: EnvoyStart): Promise<ProxyProcess> {
  const { id, command, port, arrangement } = start;
  const config = join(world.folder, `${id}.json`);
  await writeFile(config, JSON.stringify(envoyConfig(world, policy, port, arrangement)));
  const args = ['-c', config, '--concurrency', '1', '--disable-hot-restart', '-l', 'error'];
  return startProxy(world, { name: id, command, args });
}

async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

async function envoyVersion(): Promise<string> {
  const { stdout } = await run(await installEnvoy(), ['--version']);
  return `Envoy ${/\/(\d+\.\d+\.\d+[^/]*)\//.exec(stdout)?.[1] ?? stdout.trim()}`;
}

export const ENVOYS: readonly Target[] = [
  withOpa('envoy-opa-log', 'Envoy + OPA (ext_authz), decision log', true),
  withOpa('envoy-opa', 'Envoy + OPA (ext_authz), no log', false),
  alone('envoy-rbac-log', 'Envoy, native RBAC, access log', 'rbac', true),
  alone('envoy-rbac', 'Envoy, native RBAC, no log', 'rbac', false),
  alone('envoy', 'Envoy, no policy', 'none', false),
];
