import { join } from 'node:path';

import type { LoadJob, LoadRequest } from './load-job.ts';
import type { PolicyName, World } from './target.ts';
import { flooding, reloading } from './trouble.ts';
import type { Trouble } from './trouble.ts';

/** What the load is told by a step; the rest of the job is the same for all. */
export type Load = Pick<LoadJob, 'protocol' | 'connections' | 'requests' | 'loop'> &
  Partial<Pick<LoadJob, 'streams' | 'resume' | 'idleConnections' | 'slowReaders' | 'slowPath'>>;

/** One thing that is measured of a target while it runs. `saturated` is a closed loop, `rate` an open one, `start` has no load. */
export type Step = {
  readonly id: string;
  readonly title: string;
} & (
  | { readonly kind: 'saturated' | 'rate'; readonly load: (world: World) => Load }
  | { readonly kind: 'start'; /** How often a target is started in a round. */ readonly starts: number }
);

/** Steps under one policy, for the targets where they tell something; a target is started once a round and takes the steps in turn. */
export type Workload = {
  readonly id: string;
  readonly title: string;
  /** For the reader of the report: what is sent, and what it shows. */
  readonly explains: string;
  readonly policy: PolicyName;
  readonly targets: readonly string[];
  readonly steps: readonly Step[];
  /** What goes wrong meanwhile. */
  readonly trouble?: Trouble;
  /** Id of the workload with the same steps in which nothing goes wrong. */
  readonly calm?: string;
};

/** Files with the bodies that are sent; `run.ts` makes them. */
export const BODIES = { query: 'query.json', big: 'big.bin' } as const;

const CONNECTIONS = 32;
/** HTTP/2 shares its connections: as many requests at once, on fewer of them. */
const H2 = { connections: 8, streams: 4 } as const;
const RATE = 1_000;
const BIG_PATH = '/api/v1/catalog/big';
const GET: LoadRequest = { method: 'GET', path: '/api/v1/catalog/items' };
const DENIED: LoadRequest = { method: 'GET', path: '/admin', expectStatus: 403 };
const UNARY: LoadRequest = { method: 'POST', path: '/bench.Echo/Unary' };

const EVERYBODY = [
  'envoy-opa-log',
  'envoy-opa',
  'envoy-rbac-log',
  'envoy-rbac',
  'envoy',
  'nginx',
  'node-raw',
  'node-piped',
  'sallyport',
];
/** Without what differs from another in its log alone. */
const QUIET = EVERYBODY.filter((id) => id !== 'envoy-opa' && id !== 'envoy-rbac-log');
/** The reference, the hard opponent, the floor, and us. */
const FOUR = ['envoy-opa-log', 'envoy-rbac', 'node-raw', 'sallyport'];
const JUDGES = ['envoy-opa-log', 'envoy-rbac', 'sallyport'];

const closed = { kind: 'closed' } as const;

function saturated(load: (world: World) => Load, title = 'Saturated', id = 'saturated'): Step {
  return { id, title, kind: 'saturated', load };
}

function atRate(perSecond: number, load: (world: World) => Omit<Load, 'loop'>): Step {
  const loop = { kind: 'open', perSecond } as const;
  const title = `At ${perSecond.toLocaleString('en-US')} a second`;
  return { id: `rate-${perSecond}`, title, kind: 'rate', load: (world) => ({ ...load(world), loop }) };
}

const http1 = (): Load => ({ protocol: 'http1', connections: CONNECTIONS, requests: [GET], loop: closed });
const grpc = (): Load => ({ protocol: 'grpc', ...H2, requests: [UNARY], loop: closed });

function withBody(path: string, file: string): (world: World) => Load {
  return ({ folder }) => {
    const headers = { 'content-type': 'application/json' };
    const requests = [{ method: 'POST', path, headers, bodyFile: join(folder, file) }];
    return { protocol: 'http1', connections: CONNECTIONS, requests, loop: closed };
  };
}

function rules(count: 10 | 100 | 1000): Workload {
  return {
    id: `rules-${count}`,
    title: `A policy of ${count.toLocaleString('en-US')} rules`,
    explains: `HTTP/1.1 as above, under ${count.toLocaleString('en-US')} rules of which the last lets the request in.`,
    policy: `rules-${count}`,
    targets: JUDGES,
    steps: [saturated(http1)],
  };
}

function handshakes(resume: boolean): readonly Step[] {
  const load: Load = { protocol: 'handshake', connections: 8, requests: [GET], loop: closed, resume };
  return [saturated(() => load, 'As many as it takes')];
}

/** A workload of `trouble-calm` once more, with something going wrong. */
function troubled(id: string, title: string, explains: string, more: Partial<Workload>): Workload {
  const targets = ['envoy-opa-log', 'sallyport'];
  return { id, title, explains, policy: 'rbac', targets, steps: [atRate(RATE, http1)], calm: 'trouble-calm', ...more };
}

const VICTIM_RATE = 500;
const SLOW_READERS = 4;

export const WORKLOADS: readonly Workload[] = [
  {
    id: 'h1-get',
    title: 'HTTP/1.1 keep-alive, answers of 1 KB',
    explains:
      '32 connections, `GET`, answers of 1,000 bytes, role-based policy with 20 agents, 10 roles and 30 grants.',
    policy: 'rbac',
    targets: EVERYBODY,
    steps: [saturated(http1), atRate(RATE, http1), atRate(2 * RATE, http1)],
  },
  {
    id: 'h1-post-json',
    title: 'HTTP/1.1, POST of 1 KB of JSON that the policy reads',
    explains:
      '32 connections; the policy lets a request in only where `action` of its JSON body is `query`. Native RBAC cannot read bodies.',
    policy: 'json-body',
    targets: ['envoy-opa-log', 'envoy', 'node-raw', 'sallyport'],
    steps: [saturated(withBody('/api/v1/catalog/query', BODIES.query))],
  },
  {
    id: 'h2-get',
    title: 'HTTP/2, answers of 1 KB',
    explains:
      '8 connections of 4 concurrent requests each. The passthrough cannot speak HTTP/1.1 to the upstream here: it hands HTTP/2 on to it.',
    policy: 'rbac',
    targets: FOUR,
    steps: [saturated(() => ({ protocol: 'http2', ...H2, requests: [GET], loop: closed }))],
  },
  {
    id: 'grpc-unary',
    title: 'gRPC, unary calls',
    explains: '8 connections of 4 concurrent calls each, messages of 51 bytes.',
    policy: 'rbac',
    targets: QUIET,
    steps: [saturated(grpc), atRate(RATE, grpc)],
  },
  {
    id: 'grpc-stream',
    title: 'gRPC, bidirectional streams',
    explains:
      '8 connections of 4 streams each; on each stream 100 messages of 51 bytes there and back, one after the other. A message there and back counts as a request: one decision for 100 of them.',
    policy: 'rbac',
    targets: FOUR,
    steps: [
      saturated(() => ({
        protocol: 'grpc-stream',
        ...H2,
        requests: [{ method: 'POST', path: '/bench.Echo/Stream' }],
        loop: closed,
      })),
    ],
  },
  {
    id: 'big-bodies',
    title: 'Bodies of 1 MB',
    explains: '8 connections; answers of 1,000,000 bytes, then uploads of as many.',
    policy: 'rbac',
    targets: FOUR,
    steps: [
      saturated(
        () => ({ ...http1(), connections: 8, requests: [{ method: 'GET', path: BIG_PATH }] }),
        'Answers',
        'answers',
      ),
      saturated((world) => ({ ...withBody(BIG_PATH, BODIES.big)(world), connections: 8 }), 'Uploads', 'uploads'),
    ],
  },
  {
    id: 'idle-1000',
    title: 'Beside 1,000 idle connections',
    explains: 'HTTP/1.1 at 1,000 a second on 32 connections, while 1,000 more that have asked once keep silent.',
    policy: 'rbac',
    targets: FOUR,
    steps: [atRate(RATE, () => ({ ...http1(), idleConnections: 1_000 }))],
  },
  rules(10),
  rules(100),
  rules(1000),
  {
    id: 'deny-heavy',
    title: 'Nine of ten requests denied',
    explains: 'HTTP/1.1, 32 connections; nine of ten requests ask for a path that nobody may see.',
    policy: 'rbac',
    targets: JUDGES,
    steps: [saturated(() => ({ ...http1(), requests: [{ ...DENIED, weight: 9 }, GET] }))],
  },
  {
    id: 'handshake-new',
    title: 'New connections',
    explains:
      '8 at a time: full TLS 1.3 handshake with both certificates judged, one request, closed. A "request" is a connection here. `node-tls` is a bare Node TLS server that asks for a client certificate and answers itself.',
    policy: 'rbac',
    targets: [...QUIET.filter((id) => id !== 'node-piped'), 'node-tls'],
    steps: handshakes(false),
  },
  {
    id: 'handshake-resumed',
    title: 'Resumed connections',
    explains:
      'As before, with a ticket of an earlier connection. Sallyport has `resumption: true` here and repeats every check; the others do what their defaults say, and are left out where they do not resume.',
    policy: 'rbac',
    targets: ['envoy', 'nginx', 'node-raw', 'sallyport-resumption'],
    steps: handshakes(true),
  },
  {
    id: 'cold-start',
    title: 'Start',
    explains:
      'From the start of the first process until an allowed request was answered. OPA compiles its Rego meanwhile; Sallyport has a bundle of `sallyport policy build`, or compiles it as well.',
    policy: 'rbac',
    targets: [...FOUR, 'sallyport-rego'],
    steps: [{ id: 'start', title: 'Start', kind: 'start', starts: 2 }],
  },
  {
    id: 'trouble-calm',
    title: 'Under trouble: none, for reference',
    explains: 'HTTP/1.1 at two rates; what follows is compared with it.',
    policy: 'rbac',
    targets: [...JUDGES, 'sallyport-rego'],
    steps: [atRate(VICTIM_RATE, http1), atRate(RATE, http1)],
  },
  troubled(
    'trouble-reload',
    'Under trouble: policy and certificates change every second',
    'The same load while a new certificate and another revision of the policy are put in place each second. Envoy reads its certificates once in this arrangement, and is left out.',
    { targets: ['sallyport', 'sallyport-rego'], trouble: { make: reloading } },
  ),
  troubled(
    'trouble-slow-readers',
    'Under trouble: a tenth of the peers read slowly',
    `The same load on 32 connections, while ${SLOW_READERS} more read answers of 1 MB at 64 KB a second.`,
    {
      steps: [atRate(RATE, () => ({ ...http1(), slowReaders: SLOW_READERS, slowPath: BIG_PATH }))],
    },
  ),
  troubled(
    'trouble-flood',
    'Under trouble: another peer floods',
    `${VICTIM_RATE} requests a second of one peer, whose latency is shown, while another asks for ten times as many. The flood comes from a process of its own on the core of the load. CPU is not shown, since it is that of both peers' requests.`,
    {
      steps: [atRate(VICTIM_RATE, http1)],
      trouble: { make: flooding(10 * VICTIM_RATE), hasOtherRequests: true },
    },
  ),
  troubled(
    'trouble-slow-disk',
    'Under trouble: the log is written to something slow',
    'The same load while what takes the log (through a pipe) takes 64 KiB at a time, and nothing for a third of each second. Sallyport writes its records to standard output here. "Refused" are requests that were answered with an error rather than let through unrecorded.',
    { trouble: { slowLog: true } },
  ),
];

/** The ids of all targets that a workload asks for. */
export const ASKED_FOR: readonly string[] = [...new Set(WORKLOADS.flatMap(({ targets }) => targets))];
