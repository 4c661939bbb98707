import { PREFIX, REDIRECT, SIDECAR, VARIABLES } from '../../core/injection/names.ts';
import { isMap, listIn, readJson, textIn, within } from './objects.ts';

/** One port of the agent with the sidecar in front of it. */
export type GuardedPort = {
  /** Port of the sidecar. */
  readonly listen: string;
  /** What stands behind it, with its protocol: `auto://127.0.0.1:8080`. */
  readonly upstream: string;
};

/** What a pod says of the sidecar in it. Every part is what stands in the pod, not what should. */
export type InjectedSidecar = {
  readonly version: string | undefined;
  /** Hash of the injector's settings and facts at the injection. */
  readonly config: string | undefined;
  readonly image: string | undefined;
  readonly capture: 'redirect' | 'plain';
  readonly mode: string;
  readonly guarded: readonly GuardedPort[];
  /** Where the agent's own calls are taken, and how many hosts it may call by name. */
  readonly outbound: readonly { readonly listen: string; readonly destinations: readonly string[] }[];
  /** `CONTAINER/KIND` of the agent's probes that go through the sidecar. */
  readonly probes: readonly string[];
  /** Init containers of the injection, in their order. */
  readonly initContainers: readonly string[];
  /** Port of health, metrics and status. */
  readonly adminPort: number | undefined;
};

/** The sidecar in a pod; undefined where there is none. */
export function injectedSidecar(pod: unknown): InjectedSidecar | undefined {
  const initContainers = listIn(pod, 'spec', 'initContainers');
  const container = initContainers.find((one) => textIn(one, 'name') === SIDECAR);
  if (container === undefined) return undefined;
  const config = readJson(environment(container, VARIABLES.config));
  const names = initContainers.map((one) => textIn(one, 'name')).filter((name) => name !== undefined);
  return {
    version: annotation(pod, 'injected-by'),
    config: annotation(pod, 'injected-config'),
    image: textIn(container, 'image'),
    capture: names.includes(REDIRECT) ? 'redirect' : 'plain',
    mode: textIn(config, 'policy', 'mode') ?? 'enforce',
    guarded: listIn(config, 'inbound').map((one) => {
      return { listen: textIn(one, 'listen') ?? '?', upstream: textIn(one, 'upstream') ?? '?' };
    }),
    outbound: listIn(config, 'outbound').map((one) => {
      return { listen: textIn(one, 'listen') ?? '?', destinations: keysOf(within(one, 'destinations')) };
    }),
    probes: keysOf(within(config, 'probes', 'targets')),
    initContainers: names.filter((name) => name === SIDECAR || name === REDIRECT),
    adminPort: portOf(textIn(config, 'admin', 'listen')),
  };
}

/** An annotation of ours. */
export function annotation(pod: unknown, name: string): string | undefined {
  return textIn(pod, 'metadata', 'annotations', `${PREFIX}${name}`);
}

/** A label of ours. */
export function label(object: unknown, name: string): string | undefined {
  return textIn(object, 'metadata', 'labels', `${PREFIX}${name}`);
}

function environment(container: unknown, name: string): string | undefined {
  return textIn(
    listIn(container, 'env').find((one) => textIn(one, 'name') === name),
    'value',
  );
}

function keysOf(value: unknown): readonly string[] {
  return isMap(value) ? Object.keys(value) : [];
}

function portOf(listen: string | undefined): number | undefined {
  const port = Number(/:(\d{1,5})$/.exec(listen ?? '')?.[1]);
  return port > 0 && port < 65_536 ? port : undefined;
}
