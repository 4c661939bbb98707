import { parseOciReference } from '../kernel/oci-reference.ts';
import { err, ok } from '../kernel/result.ts';
import { PROTOCOLS } from './asked.ts';
import { isCidr } from './network.ts';

import type { Result } from '../kernel/result.ts';
import type { PortWish, Protocol } from './asked.ts';

/*
 * The kinds of values that annotations have. Each reader says in one noun phrase what it expects.
 */

/** IANA_SVC_NAME (RFC 6335 5.1), the form of a port's name: at most 15 characters, at least one letter. */
const PORT_NAME = /^(?=.*[a-z])[a-z0-9](?:-?[a-z0-9]){0,14}$/;
const ENTRYPOINT = /^[A-Za-z_][A-Za-z0-9_-]*(?:\/[A-Za-z_][A-Za-z0-9_-]*)*$/;
const CPU = /^(?:\d{1,9}m|\d{1,6}(?:\.\d{1,3})?)$/;
const MEMORY = /^\d{1,15}(?:\.\d{1,3})?(?:k|M|G|T|Ki|Mi|Gi|Ti)?$/;
const MAX_ENTRIES = 256;

/** One of a few words. */
export function readWord<const T extends string>(text: string, words: readonly T[]): Result<T, string> {
  const word = words.find((one) => one === text);
  return word === undefined ? err(words.join(' or ')) : ok(word);
}

/** `8080,9090/grpc,web/http`: ports by number or name, each with its protocol where it has one. */
export function readPortWishes(text: string): Result<readonly PortWish[], string> {
  const expected = `ports such as 8080,9090/grpc,web/http, each once, with ${PROTOCOLS.join(', ')}`;
  const wishes = entries(text).map(portWish);
  const good = wishes.filter((wish) => wish !== undefined);
  const names = new Set(good.map(({ port }) => port));
  return good.length !== wishes.length || names.size !== wishes.length ? err(expected) : ok(good);
}

/** `8080,metrics`: ports by number or name. */
export function readPorts(text: string): Result<readonly (number | string)[], string> {
  const wishes = readPortWishes(text);
  const isPlain = wishes.ok && wishes.value.every(({ protocol }) => protocol === undefined);
  return isPlain ? ok(wishes.value.map(({ port }) => port)) : err('ports such as 9000,metrics, each once');
}

/** `5432,6379`: ports of other sides. */
export function readPortNumbers(text: string): Result<readonly number[], string> {
  const ports = readPorts(text);
  const numbers = ports.ok ? ports.value.filter((port) => typeof port === 'number') : [];
  return ports.ok && numbers.length === ports.value.length
    ? ok(numbers)
    : err('port numbers such as 5432,6379, each once');
}

/** `10.0.0.0/8,fd00::/8`. */
export function readCidrs(text: string): Result<readonly string[], string> {
  const cidrs = entries(text);
  return cidrs.every(isCidr) ? ok(cidrs) : err('networks such as 10.0.0.0/8,fd00::/8');
}

/** An amount of CPU as Kubernetes writes it. */
export function readCpu(text: string): Result<string, string> {
  return CPU.test(text) ? ok(text) : err('an amount of CPU such as 100m or 0.5');
}

/** An amount of memory as Kubernetes writes it. */
export function readMemory(text: string): Result<string, string> {
  return MEMORY.test(text) ? ok(text) : err('an amount of memory such as 128Mi');
}

/** An entrypoint of a policy. */
export function readEntrypoint(text: string): Result<string, string> {
  return ENTRYPOINT.test(text) && text.length <= 512 ? ok(text) : err('an entrypoint such as sallyport/authz/decision');
}

/** The https:// URL of a bundle without user, password and fragment (an injected sidecar has no keys to verify what comes over plain HTTP), or an image in a registry with its tag or digest. */
export function readBundleUrl(text: string): Result<string, string> {
  const url = /^https:\/\/[^\s/]/.test(text) && text.length <= 2_048 ? URL.parse(text) : null;
  const isServed = url !== null && url.username === '' && url.password === '' && url.hash === '';
  return isServed || parseOciReference(text) !== undefined
    ? ok(text)
    : err('an https:// URL without user and password, or oci://REGISTRY/REPOSITORY:TAG (or @sha256:DIGEST)');
}

function portWish(text: string): PortWish | undefined {
  const [name = '', word, ...more] = text.split('/');
  const protocol = PROTOCOLS.find((one) => one === word);
  const port = portOf(name);
  if (port === undefined || more.length > 0 || (word !== undefined && protocol === undefined)) return undefined;
  return protocol === undefined ? { port } : { port, protocol: protocol satisfies Protocol };
}

function portOf(text: string): number | string | undefined {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text) <= 65_535 ? Number(text) : undefined;
  return PORT_NAME.test(text) ? text : undefined;
}

/** What stands between commas, without the space around it. An empty text has one entry, which is nothing. */
function entries(text: string): readonly string[] {
  return text
    .split(',', MAX_ENTRIES + 1)
    .slice(0, MAX_ENTRIES + 1)
    .map((entry, index) => (index === MAX_ENTRIES ? '' : entry.trim()));
}
