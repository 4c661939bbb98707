import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AGENTS, startAgents, startPlanner, startSidecar, type GuardedAgents } from './demo-agents.ts';
import { hints } from './demo-hints.ts';
import { makeIdentities } from './demo-identities.ts';
import { interruption } from './demo-interruption.ts';
import { makePolicy } from './demo-policy.ts';
import { Processes } from './demo-processes.ts';
import { findRecord } from './demo-records.ts';
import { rowOf } from './demo-row.ts';
import { STEPS, withClients, type Step } from './demo-steps.ts';
import { paintFor, renderTable, type Row } from './demo-table.ts';

import type { Seen } from './demo-calls.ts';
import type { Clone } from './demo-clone.ts';
import type { Callers } from './demo-identities.ts';

const AS_EXPECTED = 0;
const NOT_AS_EXPECTED = 1;
const OUTSIDE = 3;

/** How long a record may take to be in its file, milliseconds. */
const RECORD_MS = 5_000;

/** Where the demo is played. */
type Stage = {
  readonly clone: Clone;
  readonly folder: string;
  readonly processes: Processes;
  /** Aborted when nothing new is to be begun. */
  readonly signal: AbortSignal;
};

/** Plays the demo; see `runDemo` for the exit code. Processes and folder are gone when it resolves, whatever happened. */
export async function playDemo(clone: Clone, once: boolean): Promise<number> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'sallyport-demo-'));
  const processes = new Processes();
  const { signal, aborted, dispose } = interruption(() => processes.kill());
  const stage: Stage = { clone, folder, processes, signal };
  const played = play(stage);
  const trouble = Promise.race([aborted.then(() => undefined), processes.fault]);
  try {
    const first = await Promise.race([played, trouble.then(giveUp)]);
    print(first.table);
    if (once) return first.code;
    print(hints(folder, first.agents));
    const fault = await trouble;
    return fault === undefined ? first.code : giveUp(fault);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return OUTSIDE;
  } finally {
    say('ending the agents and their sidecars');
    await processes.stop();
    await Promise.allSettled([played]);
    await rm(folder, { recursive: true, force: true });
    dispose();
  }
}

async function play(stage: Stage) {
  const { agents, callers } = await setUp(stage);
  say('calling the agents');
  const rows = await callAll(stage, agents, callers);
  const wrong = rows.filter(({ expected }) => expected !== undefined).length;
  const summary =
    wrong === 0 ? `All ${rows.length} decisions as expected.` : `${wrong} of ${rows.length} not as expected.`;
  const table = [...renderTable(rows, paintFor(process.stdout)), '', summary].join('\n');
  return { agents, table, code: wrong === 0 ? AS_EXPECTED : NOT_AS_EXPECTED };
}

async function setUp({ clone, folder, processes, signal }: Stage) {
  say('making identities, compiling the policy, starting the agents');
  const [callers, upstreams] = await settled([
    makeIdentities(join(folder, 'certs'), AGENTS),
    startAgents(clone, folder, processes),
    makePolicy(clone.policy, join(folder, 'policy')),
  ]);
  signal.throwIfAborted();
  say('starting their sidecars');
  const start = (name: (typeof AGENTS)[number]) => startSidecar(clone, folder, name, upstreams[name], processes);
  const [mcp, http, grpc] = await settled([start('mcp'), start('http'), start('grpc')]);
  const planner = await startPlanner(clone, folder, http.port, processes);
  return { callers, agents: { mcp, http, grpc, planner } satisfies GuardedAgents };
}

/** Makes every call, then finds the record of each decision. */
async function callAll({ clone, signal }: Stage, agents: GuardedAgents, callers: Callers): Promise<readonly Row[]> {
  const seen = new Map<Step, Seen>();
  for (const caller of Object.values(callers)) {
    await withClients(caller, agents, clone.proto, async (clients) => {
      for (const step of STEPS.filter(({ who, run }) => who === caller.name && run !== undefined)) {
        signal.throwIfAborted();
        if (step.run !== undefined) seen.set(step, await step.run(clients));
      }
    });
  }
  return Promise.all(
    STEPS.map(async (step, index) => {
      const call = seen.get(callOf(index));
      const { who, agent, direction = 'inbound' } = step;
      const wanted = { traceId: call?.traceId ?? '', peer: callers[who].id, direction };
      return rowOf(step, step.run && call, await findRecord(agents[agent].journal, wanted, RECORD_MS));
    }),
  );
}

/** The call that a decision belongs to: its own, or the last one before. */
function callOf(index: number): Step {
  const step = STEPS[index];
  if (step === undefined) throw new TypeError('the first decision has a call of its own');
  return step.run === undefined ? callOf(index - 1) : step;
}

/** Like `Promise.all`, but where one fails the others have ended as well: nothing writes into the folder while it is removed. */
async function settled<T extends readonly unknown[]>(work: { readonly [K in keyof T]: Promise<T[K]> }): Promise<T> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

function giveUp(fault: Error | undefined): never {
  throw fault ?? new Error('interrupted');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
