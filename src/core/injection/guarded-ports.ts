import { refusal } from './injection.ts';
import { listAt, numberAt, textAt } from './json-value.ts';
import { meshOf } from './mesh-checks.ts';
import { isOurName } from './names.ts';
import { allContainers, servingContainers } from './pod.ts';

import type { InjectionRefusal, InjectionSettings } from '../model/injection.ts';
import type { Asked, Protocol, PortWish } from './asked.ts';
import type { JsonMap } from './json-value.ts';
import type { Placed, Pod } from './pod.ts';

/** A port of the agent that is reached through the sidecar only. */
export type GuardedPort = {
  readonly port: number;
  /** The sidecar's port for it. */
  readonly to: number;
  readonly protocol: Protocol;
  /** The name that the port has in its container. */
  readonly name?: string | undefined;
};

/** Which ports of a pod are guarded, which stay open, and what the owner should know of the others. */
export type PortPlan = {
  readonly guarded: readonly GuardedPort[];
  readonly open: readonly number[];
  readonly refusals: readonly InjectionRefusal[];
  readonly warnings: readonly string[];
};

/** A port that a container declares. */
type Declared = {
  readonly path: string;
  readonly port: number;
  readonly name?: string | undefined;
  readonly raw: JsonMap;
};

const NAMED_PROTOCOLS: ReadonlyMap<string, Protocol> = new Map([
  ['grpc', 'http2'],
  ['http2', 'http2'],
  ['h2c', 'http2'],
  ['http', 'http'],
  ['tcp', 'tcp'],
  ['tls', 'tcp'],
  ['https', 'tcp'],
]);

/** Each has a listener of its own, with its share of memory. */
const MAX_GUARDED = 16;

/** Finds the ports to guard: what `ports` says, or every TCP port that a container declares, but those that stay open. */
export function planPorts(pod: Pod, asked: Asked): PortPlan {
  const { settings } = asked;
  const declared = agentContainers(pod).flatMap(declaredPorts);
  const tcp = declared.filter(({ raw }) => protocolOf(raw) === 'TCP');
  const unresolved: string[] = [];
  const number = (port: number | string): number[] => {
    const found = typeof port === 'number' ? port : tcp.find(({ name }) => name === port)?.port;
    if (found === undefined) unresolved.push(String(port));
    return found === undefined ? [] : [found];
  };
  const open = asked.open.flatMap(number);
  const wishes = asked.ports ?? [...new Set(tcp.map(({ port }) => port))].map((port): PortWish => ({ port }));
  const guarded = wishes
    .flatMap(({ port, protocol }) => number(port).map((found) => ({ port: found, protocol })))
    .filter(({ port }) => !open.includes(port))
    .map(({ port, protocol }, index) => {
      const name = tcp.find((one) => one.port === port)?.name;
      const spoken = protocol ?? asked.protocol ?? protocolOfName(name);
      return { port, to: settings.ports.inbound + index, protocol: spoken, name };
    });
  return {
    guarded,
    open,
    refusals: [
      ...unresolved.map((name) =>
        refusal('annotation_malformed', 'metadata.annotations', `no container declares a TCP port named ${name}`),
      ),
      ...twice(guarded),
      ...tooMany(guarded),
      ...collisions(declared, guarded, open, settings),
      ...(settings.capture === 'plain' ? hostPorts(pod, open) : []),
    ],
    warnings: [...uncalled(pod, guarded), ...warnings(declared, guarded, open, settings)],
  };
}

/** The containers that make up the agent: what serves, but the proxies of other meshes; what only bears a name of ours is refused for that alone. */
export function agentContainers(pod: Pod): readonly Placed[] {
  return servingContainers(pod).filter(({ container: { name } }) => meshOf(name) === undefined && !isOurName(name));
}

/** The number of a container's port by its number or name (Kubernetes: IntOrString); undefined where no such name is declared. */
export function portNumber(container: JsonMap, port: unknown): number | undefined {
  if (typeof port === 'number') return port;
  if (typeof port !== 'string') return undefined;
  if (/^[1-9]\d{0,4}$/.test(port)) return Number(port);
  const declared = listAt(container, 'ports').find((one) => textAt(one, 'name') === port);
  return numberAt(declared, 'containerPort');
}

/** True where a container declares one of these ports for TCP. */
export function declaresTcp(entry: unknown, ports: readonly { readonly port: number }[]): boolean {
  return protocolOf(entry) === 'TCP' && ports.some(({ port }) => port === numberAt(entry, 'containerPort'));
}

function declaredPorts({ path, container }: Placed): readonly Declared[] {
  return listAt(container, 'ports').flatMap((raw, index): Declared[] => {
    const port = numberAt(raw, 'containerPort');
    if (port === undefined) return [];
    return [{ path: `${path}.ports[${index}]`, port, name: textAt(raw, 'name'), raw: raw as JsonMap }];
  });
}

function protocolOf(entry: unknown): string {
  return textAt(entry, 'protocol') ?? 'TCP';
}

/** By the prefix of a port's name, as service meshes read it; TLS of the agent's own can only be passed on as bytes. */
function protocolOfName(name: string | undefined): Protocol {
  const [prefix = ''] = (name ?? '').split('-');
  return NAMED_PROTOCOLS.get(prefix) ?? 'auto';
}

function twice(guarded: readonly GuardedPort[]): InjectionRefusal[] {
  const found = guarded.filter(({ port }, index) => guarded.findIndex((one) => one.port === port) !== index);
  return found.map(({ port }) =>
    refusal('annotation_malformed', 'metadata.annotations', `port ${port} stands twice, by number and by name`),
  );
}

function tooMany(guarded: readonly GuardedPort[]): InjectionRefusal[] {
  if (guarded.length <= MAX_GUARDED) return [];
  const message = `${guarded.length} ports to guard, and ${MAX_GUARDED} are the most; name those that peers call in the annotation sallyport.dev/ports`;
  return [refusal('ports_too_many', 'spec.containers', message)];
}

/** The ports that the sidecar listens on in a pod. */
export function sidecarPorts({ ports }: InjectionSettings, guarded: readonly GuardedPort[]): readonly number[] {
  return [...guarded.map(({ to }) => to), ports.outbound, ports.probe, ports.admin];
}

function collisions(
  declared: readonly Declared[],
  guarded: readonly GuardedPort[],
  open: readonly number[],
  settings: InjectionSettings,
): InjectionRefusal[] {
  const taken = sidecarPorts(settings, guarded);
  const asWritten = declared.filter(({ port, raw }) => protocolOf(raw) === 'TCP' && taken.includes(port));
  const unwritten = [...guarded.map(({ port }) => port), ...open].filter(
    (port) => taken.includes(port) && !asWritten.some((one) => one.port === port),
  );
  return [
    ...asWritten.map(({ path, port }) => refusal('port_taken', `${path}.containerPort`, takenMessage(port))),
    ...[...new Set(unwritten)].map((port) => refusal('port_taken', 'metadata.annotations', takenMessage(port))),
    ...twiceTaken(taken),
  ];
}

function takenMessage(port: number): string {
  return `port ${port} is the sidecar's; let the container listen on another one`;
}

/** The platform's own ports run into each other: more guarded ports than there is room for behind the first. */
function twiceTaken(taken: readonly number[]): InjectionRefusal[] {
  const found = taken.find((port, index) => taken.indexOf(port) !== index || port > 65_535);
  if (found === undefined) return [];
  return [
    refusal(
      'port_taken',
      'spec.containers',
      `two listeners of the sidecar would be at port ${found}; the platform has to choose other ports for sidecars`,
    ),
  ];
}

/**
 * A node's port leads to the container's by itself; nothing but a redirection could put the sidecar between. So whatever the annotation `ports` leaves out, the
 * protocol, and whoever's container it is: what a NetworkPolicy says of calls by way of a node is the network's to decide.
 */
function hostPorts(pod: Pod, open: readonly number[]): InjectionRefusal[] {
  return allContainers(pod)
    .filter(({ container }) => !isOurName(container.name))
    .flatMap(declaredPorts)
    .filter(({ raw, port }) => (numberAt(raw, 'hostPort') ?? 0) > 0 && !open.includes(port))
    .map(({ path }) =>
      refusal(
        'port_taken',
        `${path}.hostPort`,
        'a port of the node would lead past the sidecar (capture: plain); remove it, or use a Service',
      ),
    );
}

/** A pod that goes on for ever and that nobody can call has probably forgotten to say where; one that ends was hardly to be called. */
function uncalled({ spec }: Pod, guarded: readonly GuardedPort[]): readonly string[] {
  const endsItself = (textAt(spec, 'restartPolicy') ?? 'Always') !== 'Always';
  return guarded.length > 0 || endsItself
    ? []
    : ['no port is guarded: peers cannot call this pod; declare its containerPorts if they are to'];
}

function warnings(
  declared: readonly Declared[],
  guarded: readonly GuardedPort[],
  open: readonly number[],
  { capture }: InjectionSettings,
): readonly string[] {
  const others = declared.filter(({ raw, port }) => protocolOf(raw) !== 'TCP' && !open.includes(port));
  const fate = capture === 'redirect' ? 'is closed' : 'passes the sidecar by';
  return [
    ...others.map(({ raw, port }) => `port ${port}/${protocolOf(raw)} ${fate}: only TCP can be guarded`),
    ...guarded
      .filter(({ name, protocol }) => protocol === 'tcp' && /^(?:https|tls)(?:-|$)/.test(name ?? ''))
      .map(({ port }) => `port ${port} speaks TLS itself: policy decides on its connections, not on its requests`),
  ];
}
