import type { PolicyInput } from '../model/policy-input.ts';
import type { Probe } from './probe-inputs.ts';
import type { Place, Step, Test } from './rule-index-tests.ts';

/** Reads a constant of the module: the value of a string or boolean, the text of a number. */
export type Constants = {
  readonly value: (address: number) => unknown;
  readonly text: (address: number, length: number) => string;
};

/** Most probes made of one index; their tests are spread over all of it. */
const MOST_PROBES = 24;
const INPUT = 0;

type Json = Readonly<Record<string, unknown>>;

/** Inputs that make the tests of a rule index hold, one each, so that a revision is judged on the rules that its index picks. `base` is what they are made of. */
export function indexProbes(index: readonly Test[], constants: Constants, base: PolicyInput): readonly Probe[] {
  const ofInput = index.filter(({ place }) => place.root === INPUT && place.steps.length > 0);
  const every = Math.max(1, Math.ceil(ofInput.length / MOST_PROBES));
  return ofInput
    .filter((_, at) => at % every === 0 || at === ofInput.length - 1)
    .map(({ place, constant }, at) => {
      const value = constants.value(constant);
      return { name: `rule index ${at}`, input: withPart(base, keysOf(place, constants), value) as PolicyInput };
    });
}

function keysOf(place: Place, constants: Constants): readonly (string | number)[] {
  return place.steps.map((step: Step) => {
    if (step.kind === 'number') return Number(constants.text(step.address, step.length));
    const key = constants.value(step.address);
    return typeof key === 'string' ? key : JSON.stringify(key);
  });
}

/** The document with one part replaced; what is in the way becomes an object, or an array for a number. */
function withPart(document: unknown, [key, ...rest]: readonly (string | number)[], value: unknown): unknown {
  if (key === undefined) return value;
  if (typeof key === 'number') {
    const items: readonly unknown[] = Array.isArray(document) ? document : [];
    const length = Math.max(items.length, key + 1);
    return Array.from({ length }, (_, i) => (i === key ? withPart(items[i], rest, value) : (items[i] ?? '')));
  }
  const fields = typeof document === 'object' && document !== null && !Array.isArray(document) ? document : {};
  return { ...fields, [key]: withPart((fields as Json)[key], rest, value) };
}
