import type { IdentityPart, NamedPart, PartWatch } from '../../src/io/sources/identity-part.ts';
import type { Problems } from '../../src/io/sources/problem.ts';

/** A part of an identity that brings what the test says, when it says so. */
export interface DrivenPart {
  readonly named: NamedPart;
  /** Brings something; before the start it is what the start brings. Missing fields are empty. */
  bring(part: Partial<IdentityPart>): void;
  /** Tells what is wrong, or that it is over. */
  complain(problem: Problems | undefined): void;
  readonly reloads: number;
  readonly isStopped: boolean;
}

/** `starts`: when its start is over; default: at once. */
export function createDrivenPart(
  name: string,
  options: { required?: boolean; starts?: Promise<void> } = {},
): DrivenPart {
  const { required = false, starts = Promise.resolve() } = options;
  let watch: PartWatch | undefined;
  let current: IdentityPart | undefined;
  let problem: Problems | undefined;
  let isStarted = false;
  let reloads = 0;
  let isStopped = false;
  return {
    named: {
      name,
      required,
      create: (given) => {
        watch = given;
        return {
          get current() {
            return current;
          },
          get problem() {
            return problem;
          },
          start: async () => {
            await starts;
            isStarted = true;
            if (current !== undefined) watch?.onChange(current);
          },
          reload: () => {
            reloads += 1;
            return Promise.resolve();
          },
          stop: () => {
            isStopped = true;
          },
        };
      },
    },
    bring: (part) => {
      current = { own: undefined, bundles: new Map(), crls: [], warnings: [], ...part };
      if (isStarted) watch?.onChange(current);
    },
    complain: (given) => {
      problem = given;
      if (isStarted) watch?.onProblem(given);
    },
    get reloads() {
      return reloads;
    },
    get isStopped() {
      return isStopped;
    },
  };
}
