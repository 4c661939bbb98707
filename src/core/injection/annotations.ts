import { nearest } from '../kernel/nearest.ts';
import { err, ok } from '../kernel/result.ts';
import { parseDuration } from '../kernel/units.ts';
import { DEFAULT_DECISION } from '../model/policy.ts';
import {
  readBundleUrl,
  readCidrs,
  readCpu,
  readEntrypoint,
  readMemory,
  readPortNumbers,
  readPorts,
  readPortWishes,
  readWord,
} from './annotation-values.ts';
import { PROTOCOLS } from './asked.ts';
import { readDestinations } from './destinations-annotation.ts';
import { refusal } from './injection.ts';
import { PREFIX, WRITTEN } from './names.ts';

import type { Result } from '../kernel/result.ts';
import type { InjectedPolicy, InjectionRefusal, InjectionSettings, Override } from '../model/injection.ts';
import type { Asked } from './asked.ts';
import type { Pod } from './pod.ts';

/** Reads one annotation into what is asked so far; fails with what was expected instead. */
type Read = (text: string, asked: Asked) => Result<Asked, string>;

type Annotation = { readonly override: Override; readonly read: Read };

/** More of them would not be read, and each is compared with all that are known. */
const MAX_UNKNOWN = 32;
const MAX_DRAIN_DELAY = 3_600_000;
const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** The annotations of pods, by name after `sallyport.dev/`, in the order in which they are read. */
const ANNOTATIONS = {
  ports: { override: 'ports', read: (text, asked) => then(readPortWishes(text), (ports) => ({ ...asked, ports })) },
  protocol: {
    override: 'protocol',
    read: (text, asked) => then(readWord(text, PROTOCOLS), (protocol) => ({ ...asked, protocol })),
  },
  destinations: {
    override: 'destinations',
    read: (text, asked) =>
      then(readDestinations(text), (own) => {
        const { outbound } = asked.settings;
        return set(asked, { outbound: { ...outbound, destinations: { ...outbound.destinations, ...own } } });
      }),
  },
  'cpu-request': { override: 'resources', read: amount('requests', 'cpu') },
  'cpu-limit': { override: 'resources', read: amount('limits', 'cpu') },
  'memory-request': { override: 'resources', read: amount('requests', 'memory') },
  'memory-limit': { override: 'resources', read: amount('limits', 'memory') },
  'log-level': {
    override: 'log-level',
    read: (text, asked) => then(readWord(text, LEVELS), (logLevel) => set(asked, { logLevel })),
  },
  'drain-delay': { override: 'drain-delay', read: readDrainDelay },
  mode: {
    override: 'mode',
    read: (text, asked) => then(readWord(text, ['enforce', 'shadow']), (mode) => set(asked, { mode })),
  },
  policy: {
    override: 'policy',
    read: (text, asked) =>
      then(readBundleUrl(text), (url) => set(asked, { policy: bundle(url, asked.settings.policy) })),
  },
  'policy-decision': { override: 'policy', read: readDecision },
  outbound: { override: 'outbound', read: readOutbound },
  'exclude-ports': {
    override: 'exclude-ports',
    read: (text, asked) => then(readPorts(text), (open) => ({ ...asked, open })),
  },
  'exclude-outbound-ports': {
    override: 'exclude-outbound',
    read: (text, asked) =>
      redirected(
        asked,
        then(readPortNumbers(text), (more) => exclude(asked, { ports: more, cidrs: [] })),
      ),
  },
  'exclude-outbound-cidrs': {
    override: 'exclude-outbound',
    read: (text, asked) =>
      redirected(
        asked,
        then(readCidrs(text), (more) => exclude(asked, { ports: [], cidrs: more })),
      ),
  },
} as const satisfies Readonly<Record<string, Annotation>>;

const KNOWN: readonly (readonly [string, Annotation])[] = Object.entries(ANNOTATIONS);
const NAMES = KNOWN.map(([name]) => name);
const WRITTEN_ANNOTATIONS: readonly string[] = [WRITTEN.version, WRITTEN.config, WRITTEN.original];
/** Read from the label of that name, which webhooks can select by. */
const LABELS: readonly string[] = ['inject', WRITTEN.injected];

/** What a pod asks for, over the platform's settings; every annotation that is unknown, malformed or not the pod's to set is refused. */
export function readAnnotations(
  pod: Pod,
  settings: InjectionSettings,
): { readonly asked: Asked; readonly refusals: readonly InjectionRefusal[] } {
  const refusals = [...unknownAnnotations(pod), ...unknownLabels(pod)];
  let asked: Asked = { settings, open: [] };
  for (const [name, annotation] of KNOWN) {
    const text = pod.annotations[`${PREFIX}${name}`];
    if (text === undefined) continue;
    const path = annotationPath(name);
    if (!settings.overrides.includes(annotation.override)) {
      refusals.push(refusal('annotation_forbidden', path, forbidden(annotation.override)));
      continue;
    }
    const read = annotation.read(text, asked);
    if (read.ok) asked = read.value;
    else refusals.push(refusal('annotation_malformed', path, `expected ${read.error}`));
  }
  return { asked, refusals };
}

/** Why a pod may not say this itself. */
export function forbidden(override: Override): string {
  return `the platform does not let pods say this themselves; remove it, or have "${override}" added to the overrides of the injector`;
}

/** Where an annotation stands. */
export function annotationPath(name: string): string {
  return `metadata.annotations[${PREFIX}${name}]`;
}

function unknownAnnotations(pod: Pod): InjectionRefusal[] {
  return ours(pod.annotations, [...NAMES, ...WRITTEN_ANNOTATIONS]).map((name) => {
    const hint = LABELS.includes(name) ? 'this is a label, not an annotation' : meant(name, NAMES);
    return refusal('annotation_unknown', annotationPath(name), `no such annotation; ${hint}`);
  });
}

function unknownLabels(pod: Pod): InjectionRefusal[] {
  return ours(pod.labels, LABELS).map((name) => {
    const hint = NAMES.includes(name) ? 'this is an annotation, not a label' : meant(name, LABELS);
    return refusal('annotation_unknown', `metadata.labels[${PREFIX}${name}]`, `no such label; ${hint}`);
  });
}

function ours(map: Readonly<Record<string, string>>, known: readonly string[]): readonly string[] {
  return Object.keys(map)
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => key.slice(PREFIX.length))
    .filter((name) => !known.includes(name))
    .slice(0, MAX_UNKNOWN);
}

function meant(name: string, known: readonly string[]): string {
  const close = nearest(name, known);
  return close === undefined ? `known are ${known.join(', ')}` : `did you mean ${PREFIX}${close}?`;
}

function then<T>(read: Result<T, string>, make: (value: T) => Asked): Result<Asked, string> {
  return read.ok ? ok(make(read.value)) : read;
}

function set(asked: Asked, change: Partial<InjectionSettings>): Asked {
  return { ...asked, settings: { ...asked.settings, ...change } };
}

function amount(kind: 'requests' | 'limits', what: 'cpu' | 'memory'): Read {
  const read = what === 'cpu' ? readCpu : readMemory;
  return (text, asked) =>
    then(read(text), (value) => {
      const { resources } = asked.settings;
      return set(asked, { resources: { ...resources, [kind]: { ...resources[kind], [what]: value } } });
    });
}

function readDrainDelay(text: string, asked: Asked): Result<Asked, string> {
  const drainDelay = parseDuration(text);
  const isGood = drainDelay !== undefined && drainDelay <= MAX_DRAIN_DELAY;
  return isGood ? ok(set(asked, { drainDelay })) : err('a duration such as 5s, at most 1h, or 0s for none');
}

function bundle(url: string, before: InjectedPolicy): InjectedPolicy {
  return { source: 'bundle', url, decision: before.source === 'bundle' ? before.decision : DEFAULT_DECISION };
}

function readDecision(text: string, asked: Asked): Result<Asked, string> {
  const { policy } = asked.settings;
  if (policy.source === 'namespace') {
    return err(`it beside ${PREFIX}policy only; for the namespace's policy set ${PREFIX}decision on its ConfigMap`);
  }
  return then(readEntrypoint(text), (decision) => set(asked, { policy: { ...policy, decision } }));
}

function readOutbound(text: string, asked: Asked): Result<Asked, string> {
  const read = readWord(text, ['none', 'declared', 'all']);
  const made = then(read, (capture) => set(asked, { outbound: { ...asked.settings.outbound, capture } }));
  return read.ok && read.value === 'none' ? made : redirected(asked, made);
}

/** Calls of the agent are captured by redirection alone. */
function redirected(asked: Asked, read: Result<Asked, string>): Result<Asked, string> {
  return asked.settings.capture === 'redirect'
    ? read
    : err('nothing: the platform captures no calls of agents here (capture: plain); remove it');
}

function exclude(asked: Asked, more: { readonly ports: readonly number[]; readonly cidrs: readonly string[] }): Asked {
  const { outbound } = asked.settings;
  const excludePorts = [...new Set([...outbound.excludePorts, ...more.ports])];
  const excludeCidrs = [...new Set([...outbound.excludeCidrs, ...more.cidrs])];
  return set(asked, { outbound: { ...outbound, excludePorts, excludeCidrs } });
}
