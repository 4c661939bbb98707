import { refusal } from './injection.ts';
import { at, listAt, numberAt } from './json-value.ts';
import { agentContainers, declaresTcp } from './guarded-ports.ts';

import type { InjectionRefusal } from '../model/injection.ts';
import type { GuardedPort } from './guarded-ports.ts';
import type { Original } from './original.ts';
import type { Pod } from './pod.ts';

/** How a pod ends: who goes on serving for how long, and how long the whole may take. */
export type Ending = {
  /** Containers that get a pause before their end, by name. */
  readonly paused: ReadonlySet<string>;
  readonly sleepSeconds: number;
  /** Of the pod, with the pause. */
  readonly graceSeconds: number;
  /** What is to be written into the pod; undefined where nothing changes. */
  readonly grace: Original['grace'];
  readonly refusals: readonly InjectionRefusal[];
};

/** What Kubernetes takes where a pod says nothing. */
const DEFAULT_GRACE_SECONDS = 30;
/** Between the end of the pause and the signal to the agent. */
const MARGIN_SECONDS = 2;

/**
 * Plans the end of a pod. For `drainDelay` (milliseconds) after it was decided, calls still arrive from those who have not heard of it: the containers that peers call go on
 * serving, and the pod's grace grows by as much, so that what the agent had for itself stays its own. A container with a `preStop` of its own knows
 * better, and a grace of 0 is a wish to end at once.
 */
export function planEnding(pod: Pod, guarded: readonly GuardedPort[], drainDelay: number): Ending {
  const written = numberAt(pod.spec, 'terminationGracePeriodSeconds');
  const graceSeconds = written ?? DEFAULT_GRACE_SECONDS;
  const refusals =
    Number.isInteger(graceSeconds) && graceSeconds >= 0
      ? []
      : [refusal('pod_malformed', 'spec.terminationGracePeriodSeconds', 'a whole number of seconds is expected')];
  const sleepSeconds = Math.ceil(drainDelay / 1_000);
  const paused = graceSeconds > 0 && sleepSeconds > 0 ? called(pod, guarded) : [];
  if (paused.length === 0) return { paused: new Set(), sleepSeconds: 0, graceSeconds, grace: undefined, refusals };
  const is = graceSeconds + sleepSeconds + MARGIN_SECONDS;
  return { paused: new Set(paused), sleepSeconds, graceSeconds: is, grace: { was: written ?? null, is }, refusals };
}

/** Ordinary containers that peers call and that have no `preStop`; those with a guarded port that nobody declares count as called. */
function called(pod: Pod, guarded: readonly GuardedPort[]): readonly string[] {
  const agents = agentContainers(pod);
  const isDeclared = ({ port }: GuardedPort) =>
    agents.some(({ container }) => listAt(container, 'ports').some((entry) => declaresTcp(entry, [{ port }])));
  const isSomeUndeclared = guarded.some((one) => !isDeclared(one));
  return agents
    .filter(({ path }) => path.startsWith('spec.containers['))
    .map(({ container }) => container)
    .filter((one) => isSomeUndeclared || listAt(one, 'ports').some((entry) => declaresTcp(entry, guarded)))
    .filter((one) => at(at(one, 'lifecycle'), 'preStop') === undefined)
    .map(({ name }) => name);
}
