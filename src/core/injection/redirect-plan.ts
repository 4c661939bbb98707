import { jsonFlaw } from '../kernel/json-flaw.ts';
import { err, ok } from '../kernel/result.ts';
import { isMap } from './json-value.ts';
import { isCidr } from './network.ts';

import type { Result } from '../kernel/result.ts';
import type { OutboundCapture } from '../model/injection.ts';

/** Which of a pod's packets go to the sidecar and which are dropped; what `sallyport redirect` reads from `SALLYPORT_REDIRECT`. */
export type RedirectPlan = {
  /** User that the sidecar runs as: its own calls are left alone. */
  readonly uid: number;
  /** Ports of the agent, and the sidecar's for each. */
  readonly inbound: readonly { readonly port: number; readonly to: number }[];
  /** Ports of the agent that stay reachable past the sidecar, TCP and UDP. */
  readonly open: readonly number[];
  /** The port that the kubelet asks. */
  readonly probe: number;
  /** The admin port, where others may read metrics. */
  readonly metrics?: number | undefined;
  readonly outbound: {
    readonly capture: OutboundCapture;
    /** With `declared`: the ports whose calls are captured. */
    readonly ports: readonly number[];
    /** The sidecar's port for captured calls. */
    readonly to: number;
    readonly excludePorts: readonly number[];
    readonly excludeCidrs: readonly string[];
  };
};

/** More than any plan needs: 16 guarded ports, and what annotations of bounded length exclude. */
const MAX_TEXT = 131_072;
const MAX_ENTRIES = 4_096;
const MAX_UID = 2_147_483_647;

/**
 * Reads what `SALLYPORT_REDIRECT` holds: JSON of exactly the keys of `RedirectPlan`, nothing twice, every port from 1 to 65535. The rules are written from
 * it as text, so that nothing but numbers and networks may come through. Fails with the first thing that is wrong.
 */
export function readRedirectPlan(text: string): Result<RedirectPlan, string> {
  if (text.length > MAX_TEXT) return err(`longer than ${MAX_TEXT} characters`);
  const flaw = jsonFlaw(text, 8);
  if (flaw !== undefined) return err(flaw);
  try {
    return ok(plan(JSON.parse(text)));
  } catch (error) {
    return err(error instanceof Misread ? error.message : 'not JSON');
  }
}

/** Unwinds the reader of a plan; never leaves this file. */
class Misread extends Error {}

function plan(value: unknown): RedirectPlan {
  const read = keys(value, 'the plan', ['uid', 'inbound', 'open', 'probe', 'outbound'], ['metrics']);
  const made: RedirectPlan = {
    uid: whole(read['uid'], 'uid', 1, MAX_UID),
    inbound: list(read['inbound'], 'inbound', pair),
    open: list(read['open'], 'open', port),
    probe: port(read['probe'], 'probe'),
    outbound: outbound(read['outbound']),
    ...(read['metrics'] === undefined ? {} : { metrics: port(read['metrics'], 'metrics') }),
  };
  const ports = made.inbound.map((one) => one.port);
  if (new Set(ports).size !== ports.length) throw new Misread('inbound: a port stands twice');
  return made;
}

function outbound(value: unknown): RedirectPlan['outbound'] {
  const read = keys(value, 'outbound', ['capture', 'ports', 'to', 'excludePorts', 'excludeCidrs'], []);
  return {
    capture: capture(read['capture']),
    ports: list(read['ports'], 'outbound.ports', port),
    to: port(read['to'], 'outbound.to'),
    excludePorts: list(read['excludePorts'], 'outbound.excludePorts', port),
    excludeCidrs: list(read['excludeCidrs'], 'outbound.excludeCidrs', cidr),
  };
}

function capture(value: unknown): OutboundCapture {
  if (value === 'none' || value === 'declared' || value === 'all') return value;
  throw new Misread('outbound.capture: none, declared or all is expected');
}

function pair(value: unknown, where: string): { readonly port: number; readonly to: number } {
  const read = keys(value, where, ['port', 'to'], []);
  return { port: port(read['port'], `${where}.port`), to: port(read['to'], `${where}.to`) };
}

function port(value: unknown, where: string): number {
  return whole(value, where, 1, 65_535);
}

function cidr(value: unknown, where: string): string {
  if (typeof value === 'string' && isCidr(value)) return value;
  throw new Misread(`${where}: a network such as 10.0.0.0/8 is expected`);
}

function whole(value: unknown, where: string, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Misread(`${where}: a whole number from ${min} to ${max} is expected`);
}

function list<T>(value: unknown, where: string, read: (item: unknown, where: string) => T): readonly T[] {
  if (!Array.isArray(value) || value.length > MAX_ENTRIES) {
    throw new Misread(`${where}: a list of at most ${MAX_ENTRIES} entries is expected`);
  }
  return value.map((item, index) => read(item, `${where}[${index}]`));
}

function keys(value: unknown, where: string, needed: readonly string[], allowed: readonly string[]) {
  if (!isMap(value)) throw new Misread(`${where}: an object is expected`);
  const missing = needed.find((key) => !Object.hasOwn(value, key));
  if (missing !== undefined) throw new Misread(`${where}: the key ${missing} is missing`);
  const unknown = Object.keys(value).find((key) => !needed.includes(key) && !allowed.includes(key));
  if (unknown !== undefined) throw new Misread(`${where}: the key ${JSON.stringify(unknown)} is unknown`);
  return value;
}
