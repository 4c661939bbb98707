import { parseBoundedYaml } from '../kernel/bounded-yaml.ts';
import { err, ok } from '../kernel/result.ts';
import { parseSpiffeIdText } from '../kernel/spiffe-id-text.ts';
import { at, isMap } from './json-value.ts';
import { isIpv4, isIpv6 } from './network.ts';

import type { SpiffeId } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { InjectedDestination } from '../model/injection.ts';

type Destinations = Readonly<Record<string, InjectedDestination>>;

const MAX_TEXT = 65_536;
const MAX_DESTINATIONS = 512;
const FORM = 'a map of HOST or HOST:PORT to the SPIFFE ID of the other side, or to a map of address, id and protocol';
/** RFC 1123 2.1; the last label is no number, or it would be an address. */
const NAME = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Reads `destinations`: YAML or JSON. The address defaults to the key, which then needs a port. Fails with what is expected, and where. */
export function readDestinations(text: string): Result<Destinations, string> {
  const parsed = text.length <= MAX_TEXT ? parseBoundedYaml(text) : err([]);
  if (!parsed.ok) return err(`${FORM}, in YAML or JSON of at most ${MAX_TEXT} characters`);
  const map: unknown = parsed.value.document.toJS({ maxAliasCount: 0 });
  const entries = isMap(map) ? Object.entries(map) : [];
  if (entries.length === 0 || entries.length > MAX_DESTINATIONS) return err(FORM);
  const read = entries.map(([host, value]) => [host.toLowerCase(), destination(host.toLowerCase(), value)] as const);
  const wrong = read.flatMap(([host, one]) => (one.ok ? [] : [`${JSON.stringify(host)}: ${one.error}`]));
  if (wrong.length > 0) return err(`for ${wrong.join('; for ')}`);
  const names = new Set(read.map(([host]) => host));
  if (names.size !== read.length) return err('each host once, in any case');
  return ok(Object.fromEntries(read.flatMap(([host, one]) => (one.ok ? [[host, one.value] as const] : []))));
}

/** The port that a call to a destination goes to, by its key: that of HTTP where it has none (RFC 9110 4.2.1). */
export function portOfHost(host: string): number {
  return splitPort(host).port ?? 80;
}

function destination(host: string, value: unknown): Result<InjectedDestination, string> {
  const { name, port } = splitPort(host);
  const isSuffix = name.startsWith('*.');
  if (!isHost(isSuffix ? name.slice(2) : name) || (isSuffix && !NAME.test(name.slice(2)))) {
    return err('a host name, an address, or *.suffix is expected');
  }
  const written = isMap(value) ? value : { id: value };
  const strange = Object.keys(written).find((key) => !['address', 'id', 'protocol'].includes(key));
  if (strange !== undefined)
    return err(`the key ${JSON.stringify(strange)} is unknown; address, id and protocol are known`);
  const address = at(written, 'address') ?? (port === undefined || isSuffix ? undefined : host);
  if (typeof address !== 'string' || !isAddress(address)) return err('address: HOST:PORT is expected');
  const id = spiffeIds(at(written, 'id'));
  if (id === undefined) return err('id: the SPIFFE ID that the other side must prove is expected, or a list of them');
  const protocol = at(written, 'protocol');
  if (protocol === undefined) return ok({ address, id });
  if (protocol !== 'auto' && protocol !== 'http1' && protocol !== 'http2') return err('protocol: auto, http1 or http2');
  return ok({ address, id, protocol });
}

function spiffeIds(value: unknown): SpiffeId | readonly SpiffeId[] | undefined {
  if (typeof value === 'string') return parseSpiffeIdText(value);
  if (!Array.isArray(value) || value.length === 0 || value.length > 64) return undefined;
  const ids = value.map((one) => (typeof one === 'string' ? parseSpiffeIdText(one) : undefined));
  const good = ids.filter((id) => id !== undefined);
  return good.length === ids.length ? good : undefined;
}

function isAddress(text: string): boolean {
  const { name, port } = splitPort(text.toLowerCase());
  return port !== undefined && isHost(name);
}

function isHost(name: string): boolean {
  if (name.startsWith('[')) return name.endsWith(']') && isIpv6(name.slice(1, -1));
  return isIpv4(name) || NAME.test(name);
}

/** A port that is none of 1 to 65535 stays part of the name, which then is none. */
function splitPort(host: string): { readonly name: string; readonly port?: number } {
  const [, name, digits] = /^(.*):([1-9]\d{0,4})$/.exec(host) ?? [];
  const isInBrackets = host.startsWith('[') && host.endsWith(']');
  if (name === undefined || isInBrackets || Number(digits) > 65_535) return { name: host };
  return { name, port: Number(digits) };
}
