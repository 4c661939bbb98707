/** What a rule of a NetworkPolicy looks at, as the API gives it (networking.k8s.io/v1). */
export type PolicyObject = {
  readonly metadata: { readonly namespace?: string };
  readonly spec: {
    readonly podSelector?: Selector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly { readonly from?: readonly Peer[]; readonly ports?: readonly Port[] }[];
    readonly egress?: readonly { readonly to?: readonly Peer[]; readonly ports?: readonly Port[] }[];
  };
};
export type PodObject = {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly spec: {
    readonly hostNetwork?: boolean;
    readonly initContainers?: readonly Container[];
    readonly containers?: readonly Container[];
  };
  readonly status?: { readonly podIP?: string; readonly phase?: string };
};
export type NamespaceObject = { readonly metadata: { readonly name: string; readonly labels?: Labels } };

type Labels = Readonly<Record<string, string>>;
type Container = {
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly protocol?: string }[];
};
type Expression = { readonly key: string; readonly operator: string; readonly values?: readonly string[] };
type Selector = { readonly matchLabels?: Labels; readonly matchExpressions?: readonly Expression[] };
type Peer = {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
};
type Port = { readonly protocol?: string; readonly port?: number | string; readonly endPort?: number };

/** Everything that rules are made of. */
export type PolicyWorld = {
  readonly policies: readonly PolicyObject[];
  readonly pods: readonly PodObject[];
  readonly namespaces: readonly NamespaceObject[];
};

type Direction = 'ingress' | 'egress';
type LivePod = PodObject & { readonly status: { readonly podIP: string } };

export const TABLE = 'inet network-policy';

/**
 * Rules for nft that say what the policies say of traffic between pods: a pod that a policy selects takes (or sends) only what some policy allows, and
 * answers. Traffic of the node itself is not looked at, as the API demands for the kubelet's probes. IPv4 only.
 */
export function networkPolicyRules(world: PolicyWorld): string {
  const pods = world.pods.filter(isLive);
  const chains = (['egress', 'ingress'] as const).flatMap((direction) =>
    pods.flatMap((pod) => isolation(world, pods, pod, direction)),
  );
  const jumps = chains.map(({ name, match }) => `    ${match} jump ${name}`);
  const text = chains.map(
    ({ name, rules }) => `  chain ${name} {\n${rules.map((rule) => `    ${rule}\n`).join('')}  }\n`,
  );
  return [
    `table ${TABLE}`,
    `delete table ${TABLE}`,
    `table ${TABLE} {`,
    ...text,
    '  chain forward {',
    '    type filter hook forward priority filter; policy accept;',
    '    ct state established,related accept',
    ...jumps,
    '  }',
    '}',
    '',
  ].join('\n');
}

function isLive(pod: PodObject): pod is LivePod {
  const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
  return pod.status?.podIP !== undefined && !ended && pod.spec.hostNetwork !== true;
}

/** The chain of one pod and direction; nothing where no policy selects it for that. */
function isolation(
  { policies, namespaces }: PolicyWorld,
  pods: readonly LivePod[],
  pod: LivePod,
  direction: Direction,
) {
  const selecting = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === pod.metadata.namespace &&
      typesOf(spec).includes(direction) &&
      matches(spec.podSelector, pod.metadata.labels),
  );
  if (selecting.length === 0) return [];
  const [own, other] = direction === 'ingress' ? ['daddr', 'saddr'] : ['saddr', 'daddr'];
  const rules = selecting.flatMap(({ metadata, spec }) =>
    rulesOf(spec, direction).flatMap(({ peers, ports }) => {
      const sources =
        peers.length === 0
          ? ['']
          : peers.flatMap((peer) => addressesOf(peer, metadata.namespace, pods, namespaces, `ip ${other}`));
      return sources.flatMap((source) =>
        portMatches(ports, direction === 'ingress' ? pod : undefined).map((port) =>
          [source, port, 'return'].filter((part) => part !== '').join(' '),
        ),
      );
    }),
  );
  const name = `${direction}_${pod.status.podIP.replaceAll('.', '_')}`;
  return [{ name, match: `ip ${own} ${pod.status.podIP}`, rules: [...new Set(rules), 'drop'] }];
}

/** Default: ingress, and egress where there are rules for it. */
function typesOf({ policyTypes, egress }: PolicyObject['spec']): readonly string[] {
  return policyTypes?.map((type) => type.toLowerCase()) ?? ['ingress', ...(egress === undefined ? [] : ['egress'])];
}

function rulesOf(
  spec: PolicyObject['spec'],
  direction: Direction,
): readonly { peers: readonly Peer[]; ports: readonly Port[] }[] {
  if (direction === 'ingress') return (spec.ingress ?? []).map(({ from = [], ports = [] }) => ({ peers: from, ports }));
  return (spec.egress ?? []).map(({ to = [], ports = [] }) => ({ peers: to, ports }));
}

function addressesOf(
  peer: Peer,
  home: string | undefined,
  pods: readonly LivePod[],
  namespaces: readonly NamespaceObject[],
  field: string,
): readonly string[] {
  if (peer.ipBlock !== undefined) {
    const { cidr, except = [] } = peer.ipBlock;
    const without = except.length === 0 ? '' : ` ${field} != { ${except.join(', ')} }`;
    return [`${field} ${cidr}${without}`];
  }
  const homes =
    peer.namespaceSelector === undefined
      ? [home]
      : namespaces
          .filter(({ metadata }) => matches(peer.namespaceSelector, metadata.labels))
          .map(({ metadata }) => metadata.name);
  const meant = pods.filter(
    ({ metadata }) => homes.includes(metadata.namespace) && matches(peer.podSelector, metadata.labels),
  );
  return meant.map(({ status }) => `${field} ${status.podIP}`);
}

/** No ports: all. A name is one of the pod that takes the traffic. */
function portMatches(ports: readonly Port[], target: PodObject | undefined): readonly string[] {
  if (ports.length === 0) return [''];
  return ports.flatMap(({ protocol = 'TCP', port, endPort }) => {
    const kind = protocol.toLowerCase();
    if (port === undefined) return [`meta l4proto ${kind}`];
    if (typeof port === 'number') return [`${kind} dport ${endPort === undefined ? port : `${port}-${endPort}`}`];
    return namedPorts(target, port, protocol).map((number) => `${kind} dport ${number}`);
  });
}

function namedPorts(pod: PodObject | undefined, wanted: string, wantedProtocol: string): readonly number[] {
  const containers = [...(pod?.spec.initContainers ?? []), ...(pod?.spec.containers ?? [])];
  return containers
    .flatMap(({ ports = [] }) => ports)
    .filter(({ name, protocol = 'TCP' }) => name === wanted && protocol === wantedProtocol)
    .map(({ containerPort }) => containerPort);
}

/** No selector, and an empty one, select everything. */
export function matches(selector: Selector | undefined, labels: Labels = {}): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every((each) => holds(each, labels))
  );
}

function holds({ key, operator, values = [] }: Expression, labels: Labels): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      throw new Error(`no operator of label selectors: ${operator}`);
  }
}
