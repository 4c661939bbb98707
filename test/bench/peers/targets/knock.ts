import { readFileSync } from 'node:fs';
import { request, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import type { Judge, PolicyName, World } from '../target.ts';
import type { ProxyProcess } from './proxy-process.ts';

/** A first request may take as long as compiling a large policy on a loaded machine. */
const PATIENCE_MS = 120_000;
const LOOK_MS = 3;
const ANSWER_MS = 5_000;

/** Who asks, by the name of the files in the world's folder; `nobody` shows no certificate. */
type Caller = 'client' | 'stranger' | 'nobody';

/** One request: by whom, for what, and whether it is to be answered 200. */
type Knock = { readonly as: Caller; readonly path: string; readonly body?: string; readonly isAllowed: boolean };

const QUERY = '/api/v1/catalog/query';
const ALLOWED: Knock = { as: 'client', path: '/api/v1/catalog/items', isAllowed: true };

/** What every target has to do, and what those have to that judge by a policy. */
function knocksFor(judge: Judge, policy: PolicyName): readonly Knock[] {
  const nobody: Knock = { ...ALLOWED, as: 'nobody', isAllowed: false };
  if (judge === 'nothing') return [nobody];
  const judged: readonly Knock[] = [
    { as: 'client', path: '/admin', isAllowed: false },
    { as: 'client', path: '/api/v1/catalogue', isAllowed: false },
    { ...ALLOWED, as: 'stranger', isAllowed: false },
  ];
  if (policy !== 'json-body') return [nobody, ...judged];
  const byBody: readonly Knock[] = [
    { as: 'client', path: QUERY, body: '{"action":"query"}', isAllowed: true },
    { as: 'client', path: QUERY, body: '{"action":"drop"}', isAllowed: false },
  ];
  return [nobody, ...judged, ...byBody];
}

/** Waits until an allowed request is answered; milliseconds since `begun` on the clock of `performance`. Rejects when a process of the target ends. */
export async function answering(
  { folder }: World,
  port: number,
  processes: readonly ProxyProcess[],
  begun: number,
): Promise<number> {
  for (;;) {
    const status = await knock(folder, port, ALLOWED);
    const took = performance.now() - begun;
    if (status === 200) return took;
    const dead = processes.find((one) => !one.isRunning());
    if (dead !== undefined || took > PATIENCE_MS) {
      const stories = processes.map((one) => one.story()).join('\n');
      throw new Error(`${dead ? 'a process ended' : 'waited in vain'} before ${ALLOWED.path} was answered\n${stories}`);
    }
    await pause(LOOK_MS);
  }
}

/** Rejects where a target lets somebody through who may not, or refuses who may: figures of such a one would be of something else. */
export async function judging({ folder }: World, port: number, judge: Judge, policy: PolicyName): Promise<void> {
  for (const wanted of knocksFor(judge, policy)) {
    const status = await knock(folder, port, wanted);
    if ((status === 200) === wanted.isAllowed && (wanted.as === 'nobody' || status !== undefined)) continue;
    const { as, path, body, isAllowed } = wanted;
    const what = `${body === undefined ? 'GET' : `POST of ${body} to`} ${path} as ${as} under ${policy}`;
    throw new Error(`${what}: answered ${status ?? 'by nothing'}, expected ${isAllowed ? '200' : 'a refusal'}`);
  }
}

/** Status of the answer on a connection of its own; undefined where there is none. */
function knock(folder: string, port: number, { as, path, body }: Knock): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const options: RequestOptions = {
    host: '127.0.0.1',
    port,
    path,
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...(body !== undefined && { 'content-type': 'application/json', 'content-length': body.length }) },
    agent: false,
    servername: 'localhost',
    ca: readFileSync(join(folder, 'ca.pem')),
    timeout: ANSWER_MS,
    ...(as !== 'nobody' && {
      cert: readFileSync(join(folder, `${as}.pem`)),
      key: readFileSync(join(folder, `${as}.key`)),
    }),
  };
  const asked = request(options, (answer) => {
    answer.resume();
    answer.once('close', () => resolve(answer.statusCode));
    answer.once('error', () => undefined);
  });
  asked.once('timeout', () => asked.destroy());
  asked.once('error', () => resolve(undefined));
  asked.end(body);
  return promise;
}
