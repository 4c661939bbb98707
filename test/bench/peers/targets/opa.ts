import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { DECISION } from '../access.ts';
import { buildGo } from '../go-build.ts';
import type { PolicyName, World } from '../target.ts';
import { writePolicy } from './policy-folder.ts';
import { decisionLog, startProxy, type ProxyProcess } from './proxy-process.ts';

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL('../opa-go', import.meta.url));

/** OPA with its ext_authz server, on its way to answering. */
export type StartedOpa = {
  readonly process: ProxyProcess;
  readonly socket: string;
  readonly begun: number;
};

/** OPA as a user of OPA-Envoy runs it; with the log, each decision goes to its console, which is a file. */
export async function startOpa(world: World, policy: PolicyName, id: string, isLogging: boolean): Promise<StartedOpa> {
  const command = await builtOpa();
  const folder = await writePolicy(world, policy);
  const socket = join(world.folder, `${id}.sock`);
  await rm(socket, { force: true });
  const config = join(world.folder, `${id}-opa.json`);
  const plugins = { envoy_ext_authz_grpc: { addr: `unix://${socket}`, path: DECISION } };
  await writeFile(config, JSON.stringify({ plugins, ...(isLogging && { decision_logs: { console: true } }) }));
  const api = `unix://${join(world.folder, `${id}-api.sock`)}`;
  const args = [
    'run',
    '--server',
    '--addr',
    api,
    '--config-file',
    config,
    '--log-level',
    'error',
    '--skip-version-check',
  ];
  const path = await decisionLog(world, id);
  const begun = performance.now();
  const process = startProxy(world, {
    name: `${id}-opa`,
    command,
    args: [...args, folder],
    env: { GOMAXPROCS: '1' },
    ...(isLogging && { decisions: { from: 'stderr', path } }),
  });
  return { process, socket, begun };
}

/** The program's version, which is OPA's; named as what it is. */
export async function opaVersion(): Promise<string> {
  const { stdout } = await run(await builtOpa(), ['version']);
  return `OPA ${/^Version: (\S+)$/m.exec(stdout)?.[1] ?? 'of an unknown version'} with an ext_authz server on its library`;
}

function builtOpa(): Promise<string> {
  return buildGo(SOURCES, 'opa-envoy');
}
