import { ratio } from './stats.ts';
import type { FigureName, Place, Ratio, Sample } from './stats.ts';

/** What this project wants of itself: one figure of Sallyport over the same of another. */
export type Aim = {
  readonly title: string;
  readonly of: Place;
  readonly to: Place;
  readonly figure: FigureName;
  readonly atMost: number;
};

/** What became of an aim; `unknown` where a side was not measured. */
export type Verdict =
  | { readonly kind: 'met'; readonly ratio: Ratio }
  | { readonly kind: 'missed'; readonly ratio: Ratio; /** 0.1: a tenth more than the aim. */ readonly by: number }
  | { readonly kind: 'unknown' };

/** Judges an aim by the median of the rounds. */
export function judge(aim: Aim, samples: readonly Sample[]): Verdict {
  const measured = ratio(samples, aim.of, aim.to, aim.figure);
  if (measured === undefined) return { kind: 'unknown' };
  if (measured.median <= aim.atMost) return { kind: 'met', ratio: measured };
  return { kind: 'missed', ratio: measured, by: measured.median / aim.atMost - 1 };
}

const US = 'sallyport';
const OPA = 'envoy-opa-log';
const RBAC = 'envoy-rbac';

/** The aims, as the project has set them itself. */
export const AIMS: readonly Aim[] = [
  aim(
    'CPU a request, HTTP/1.1 saturated, against Envoy + OPA with its log on',
    'h1-get saturated',
    OPA,
    'cpuMicros',
    0.12,
  ),
  aim(
    'CPU a request, HTTP/1.1 at 1,000 a second, against Envoy + OPA with its log on',
    'h1-get rate-1000',
    OPA,
    'cpuMicros',
    0.25,
  ),
  aim(
    'CPU a request, HTTP/1.1 saturated, against Envoy with native RBAC, even without its access log',
    'h1-get saturated',
    RBAC,
    'cpuMicros',
    1.1,
  ),
  aim(
    'CPU a request, gRPC unary saturated, against Envoy + OPA with its log on',
    'grpc-unary saturated',
    OPA,
    'cpuMicros',
    0.15,
  ),
  aim(
    'CPU a request, gRPC unary saturated, against Envoy with native RBAC',
    'grpc-unary saturated',
    RBAC,
    'cpuMicros',
    1.8,
  ),
  aim('p50 at 1,000 a second against Envoy + OPA with its log on', 'h1-get rate-1000', OPA, 'p50', 0.4),
  aim('p50 at 2,000 a second against the same', 'h1-get rate-2000', OPA, 'p50', 0.4),
  aim('p99 at 1,000 a second against the same', 'h1-get rate-1000', OPA, 'p99', 0.25),
  aim('p99 at 2,000 a second against the same', 'h1-get rate-2000', OPA, 'p99', 0.25),
  aim('Memory (RSS) under load against Envoy + OPA together', 'h1-get saturated', OPA, 'rssMiB', 1.1),
  aim(
    'CPU of a new mTLS connection against a bare Node TLS server that asks for a client certificate',
    'handshake-new saturated',
    'node-tls',
    'cpuMicros',
    1.15,
  ),
  {
    title: "CPU of a resumed connection, all checks repeated, against Envoy's full handshake",
    of: { workload: 'handshake-resumed', step: 'saturated', target: 'sallyport-resumption' },
    to: { workload: 'handshake-new', step: 'saturated', target: 'envoy' },
    figure: 'cpuMicros',
    atMost: 1,
  },
];

/** An aim of Sallyport's against another target at the same place, given as `WORKLOAD STEP`. */
function aim(title: string, at: string, target: string, figure: FigureName, atMost: number): Aim {
  const [workload = '', step = ''] = at.split(' ');
  return { title, of: { workload, step, target: US }, to: { workload, step, target }, figure, atMost };
}
