import { err, ok } from '../kernel/result.ts';
import { portNumber, sidecarPorts } from './guarded-ports.ts';
import { refusal } from './injection.ts';
import { at, listAt, mapAt, numberAt, textAt, without } from './json-value.ts';

import type { Result } from '../kernel/result.ts';
import type { InjectionRefusal, InjectionSettings } from '../model/injection.ts';
import type { JsonMap } from './json-value.ts';
import type { Placed } from './pod.ts';

/** The probes of a container by key, and what the sidecar calls them. */
export const PROBE_KINDS = { startupProbe: 'startup', readinessProbe: 'readiness', livenessProbe: 'liveness' } as const;

/** A field of a container that holds a probe. */
export type ProbeKey = keyof typeof PROBE_KINDS;

/** How a container is probed: exactly one of these keys stands in a probe. `exec` asks nobody else and is left alone. */
export const HANDLERS = ['httpGet', 'tcpSocket', 'grpc'] as const;

/** A probe that the kubelet sends to the sidecar, and what the sidecar asks the container then (`probes.targets`). */
export type RewrittenProbe = { readonly probe: JsonMap; readonly target: JsonMap };

const MAX_TIMEOUT_SECONDS = 3_600;
const MAX_PATH = 2_048;
const MAX_SERVICE = 1_024;
/** RFC 9110 5.6.2 `token`, and 5.5 of a field's value: what the sidecar sends on. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]{0,4096}$/;
/** Fields of the connection between kubelet and sidecar, not of the question. */
const OF_THE_CONNECTION = /^(?:content-length|transfer-encoding|connection|upgrade|te|trailer|expect)$/i;

/** Where the sidecar answers for a probe of a container. */
export function probePath(container: string, key: ProbeKey): string {
  return `/probe/${container}/${PROBE_KINDS[key]}`;
}

/**
 * Sends a probe through the sidecar, which needs no certificate of the kubelet and lets nothing else in. Pauses, thresholds and time limits stay as they are.
 * Undefined where the probe is not about a port of this pod: `exec`, or a host of its own. Fails where the probe could never succeed.
 */
export function rewriteProbe(
  { path, container }: Placed,
  key: ProbeKey,
  settings: InjectionSettings,
): Result<RewrittenProbe | undefined, readonly InjectionRefusal[]> {
  const probe = mapAt(container, key);
  const handler = HANDLERS.find((one) => at(probe, one) !== undefined);
  if (handler === undefined || (textAt(at(probe, handler), 'host') ?? '') !== '') return ok(undefined);
  const where = `${path}.${key}.${handler}`;
  const asked = mapAt(probe, handler);
  const port = portNumber(container, asked['port']);
  const faults = handlerFaults(asked, port, where, sidecarPorts(settings, []));
  if (port === undefined || faults.length > 0) return err(faults);
  const seconds = Math.min(Math.max(numberAt(probe, 'timeoutSeconds') ?? 1, 1), MAX_TIMEOUT_SECONDS);
  const httpGet = { path: probePath(container.name, key), port: settings.ports.probe, scheme: 'HTTP' };
  return ok({
    probe: { ...without(probe, handler), httpGet },
    target: { ...target(handler, asked, port), timeout: `${seconds}s` },
  });
}

function target(handler: (typeof HANDLERS)[number], asked: JsonMap, port: number): JsonMap {
  switch (handler) {
    case 'httpGet':
      return { http: httpTarget(asked, port) };
    case 'grpc':
      return { grpc: { port, service: textAt(asked, 'service') ?? '' } };
    case 'tcpSocket':
      return { tcp: { port } };
    default:
      return handler satisfies never;
  }
}

function httpTarget(asked: JsonMap, port: number): JsonMap {
  const headers = listAt(asked, 'httpHeaders')
    .map((header) => ({ name: textAt(header, 'name') ?? '', value: textAt(header, 'value') ?? '' }))
    .filter(({ name }) => !OF_THE_CONNECTION.test(name));
  const scheme = (textAt(asked, 'scheme') ?? 'HTTP').toLowerCase();
  return { port, path: textAt(asked, 'path') ?? '/', scheme, headers };
}

function handlerFaults(
  asked: JsonMap,
  port: number | undefined,
  where: string,
  taken: readonly number[],
): InjectionRefusal[] {
  if (port === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) {
    return [malformed(`${where}.port`, 'no port of this container has that number or name')];
  }
  if (taken.includes(port)) {
    return [refusal('port_taken', `${where}.port`, `port ${port} is the sidecar's; probe a port of the container`)];
  }
  const scheme = textAt(asked, 'scheme') ?? 'HTTP';
  return [
    ...((textAt(asked, 'path') ?? '').length > MAX_PATH
      ? [malformed(`${where}.path`, `longer than ${MAX_PATH} characters`)]
      : []),
    ...(/[\0-\x1f\x7f]/.test(textAt(asked, 'path') ?? '')
      ? [malformed(`${where}.path`, 'a control character stands in it')]
      : []),
    ...((textAt(asked, 'service') ?? '').length > MAX_SERVICE
      ? [malformed(`${where}.service`, `longer than ${MAX_SERVICE} characters`)]
      : []),
    ...(scheme === 'HTTP' || scheme === 'HTTPS' ? [] : [malformed(`${where}.scheme`, 'HTTP or HTTPS is expected')]),
    ...listAt(asked, 'httpHeaders').flatMap((header, index) => {
      const isGood = FIELD_NAME.test(textAt(header, 'name') ?? '') && FIELD_VALUE.test(textAt(header, 'value') ?? '');
      return isGood ? [] : [malformed(`${where}.httpHeaders[${index}]`, 'not a header field (RFC 9110 5)')];
    }),
  ];
}

function malformed(path: string, message: string): InjectionRefusal {
  return refusal('pod_malformed', path, message);
}
