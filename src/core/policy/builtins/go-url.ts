import { BuiltinError } from '../builtin.ts';
import { bytesOf, textOf } from './go-bytes.ts';
import { readIp } from './ip-text.ts';

/** A URL as Go's `net/url` takes it apart. */
export type GoUrl = {
  readonly scheme: string;
  readonly opaque: string;
  readonly user: { readonly name: string; readonly password: string | undefined } | undefined;
  readonly host: string;
  readonly path: string;
  readonly rawPath: string;
  readonly omitHost: boolean;
  readonly forceQuery: boolean;
  readonly rawQuery: string;
  readonly fragment: string;
  readonly rawFragment: string;
};

/** What is escaped in a part: all but letters, digits, `-._~` and what stands for itself there. */
const ESCAPED = {
  path: /[^A-Za-z0-9._~$&+,/:;=@-]+/gu,
  fragment: /[^A-Za-z0-9._~!$&()*+,/:;=?@-]+/gu,
  host: /[^A-Za-z0-9._~!"$&'()*+,:;<=>[\]-]+/gu,
  user: /[^A-Za-z0-9._~$&+,;=-]+/gu,
} as const;
type Part = keyof typeof ESCAPED;

const PERCENT = 0x25;
const BAD_ESCAPE = /%(?![0-9a-fA-F]{2})/;

/** Takes a URL apart, as `url.Parse`; what that refuses is a BuiltinError. */
export function parseUrl(text: string): GoUrl {
  const hash = text.indexOf('#');
  const rawFragment = hash < 0 ? '' : text.slice(hash + 1);
  const before = hash < 0 ? text : text.slice(0, hash);
  // eslint-disable-next-line no-control-regex -- these are what Go refuses
  if (/[\x00-\x1f\x7f]/.test(before)) throw invalid('a control character');
  const { scheme, rest } = schemeOf(before);
  const fragment = unescaped(rawFragment);
  const { hier, forceQuery, rawQuery } = queryOf(rest);
  const shown = escaped(fragment, 'fragment') === rawFragment ? '' : rawFragment;
  const common = { scheme, forceQuery, rawQuery, fragment, rawFragment: shown };
  const none = { opaque: '', user: undefined, host: '', path: '', rawPath: '', omitHost: false };
  if (before === '*') return { ...none, ...common, scheme: '', path: '*' };
  if (!hier.startsWith('/')) {
    if (scheme !== '') return { ...none, ...common, opaque: hier };
    if ((hier.split('/')[0] ?? '').includes(':')) throw invalid('a colon in the first segment of the path');
  }
  const { authority, path } = authorityOf(hier, scheme);
  const { user, host } = authority === undefined ? none : userAndHost(authority, scheme);
  const plain = unescaped(path);
  const rawPath = escaped(plain, 'path') === path ? '' : path;
  return {
    ...none,
    ...common,
    user,
    host,
    path: plain,
    rawPath,
    omitHost: authority === undefined && scheme !== '' && path.startsWith('/'),
  };
}

function schemeOf(text: string): { scheme: string; rest: string } {
  const found = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text);
  if (found?.[1] !== undefined) return { scheme: found[1].toLowerCase(), rest: text.slice(found[0].length) };
  if (text.startsWith(':')) throw invalid('a missing scheme');
  return { scheme: '', rest: text };
}

function queryOf(text: string): { hier: string; forceQuery: boolean; rawQuery: string } {
  const mark = text.indexOf('?');
  if (mark < 0) return { hier: text, forceQuery: false, rawQuery: '' };
  return { hier: text.slice(0, mark), forceQuery: mark === text.length - 1, rawQuery: text.slice(mark + 1) };
}

function authorityOf(hier: string, scheme: string): { authority: string | undefined; path: string } {
  if (!hier.startsWith('//') || (scheme === '' && hier.startsWith('///'))) return { authority: undefined, path: hier };
  const slash = hier.indexOf('/', 2);
  return slash < 0
    ? { authority: hier.slice(2), path: '' }
    : { authority: hier.slice(2, slash), path: hier.slice(slash) };
}

function userAndHost(authority: string, scheme: string): Pick<GoUrl, 'user' | 'host'> {
  const at = authority.lastIndexOf('@');
  const host = hostOf(authority.slice(at + 1), scheme);
  if (at < 0) return { user: undefined, host };
  const info = authority.slice(0, at);
  if (!/^[A-Za-z0-9._:~!$&'()*+,;=%@-]*$/.test(info)) throw invalid('user information');
  const colon = info.indexOf(':');
  if (colon < 0) return { user: { name: unescaped(info), password: undefined }, host };
  return { user: { name: unescaped(info.slice(0, colon)), password: unescaped(info.slice(colon + 1)) }, host };
}

/** A host and port. Several colons outside brackets are refused for HTTP only. */
function hostOf(host: string, scheme: string): string {
  if (host.lastIndexOf('[') > 0) throw invalid('an IP literal');
  if (host.startsWith('[')) return literalOf(host);
  const web = scheme === 'http' || scheme === 'https';
  const colon = web ? host.indexOf(':') : host.lastIndexOf(':');
  if (colon >= 0) checkPort(host.slice(colon));
  return hostText(host);
}

function literalOf(host: string): string {
  const close = host.lastIndexOf(']');
  if (close < 0) throw invalid('a missing ]');
  checkPort(host.slice(close + 1));
  const inside = host.slice(1, close);
  const zone = inside.indexOf('%25');
  const address = hostText(zone < 0 ? inside : inside.slice(0, zone));
  const name = zone < 0 ? '' : zoneText(inside.slice(zone));
  if (!address.includes(':') || readIp(address) === undefined || name === '%') throw invalid('an IP literal');
  return `[${address}${name}]${host.slice(close + 1)}`;
}

function checkPort(port: string): void {
  if (!/^(?::[0-9]*)?$/.test(port)) throw invalid('a port');
}

/** In a host only bytes that are no ASCII, and the percent sign, may be escaped (RFC 3986 3.2.2). */
function hostText(host: string): string {
  if (/%(?!25|[89a-fA-F][0-9a-fA-F])/.test(host)) throw invalid('an escape in the host');
  if (!isPlainHost(host)) throw invalid('a character of the host');
  return unescaped(host);
}

/** A zone may escape what a host may hold, and spaces (RFC 6874). */
function zoneText(zone: string): string {
  if (!isPlainHost(zone)) throw invalid('a character of the zone');
  for (const [found, hex] of zone.matchAll(/%([0-9a-fA-F]{2})/g)) {
    const char = String.fromCharCode(Number.parseInt(hex ?? '', 16));
    if (found !== '%25' && char !== ' ' && needsEscape(char, 'host')) throw invalid('an escape in the zone');
  }
  return unescaped(zone);
}

/** True where nothing but percent signs and characters beyond ASCII would be escaped. */
function isPlainHost(text: string): boolean {
  return !needsEscape(text.replaceAll(/[%\x80-\u{10ffff}]+/gu, ''), 'host');
}

function needsEscape(text: string, part: Part): boolean {
  return text.search(ESCAPED[part]) >= 0;
}

/** Bytes that are no UTF-8 become U+FFFD, as they do in the JSON that OPA makes of a URL. */
function unescaped(text: string): string {
  return text.includes('%') ? textOf(percentBytes(text)) : text;
}

/** The bytes of a text with percent escapes (RFC 3986 2.1); one that is malformed is a BuiltinError. */
export function percentBytes(text: string): Uint8Array {
  if (BAD_ESCAPE.test(text)) throw invalid('an escape');
  const bytes = bytesOf(text);
  let end = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    let byte = bytes[at] ?? 0;
    if (byte === PERCENT) {
      byte = (digitOf(bytes[at + 1]) << 4) | digitOf(bytes[at + 2]);
      at += 2;
    }
    bytes[end] = byte;
    end += 1;
  }
  return bytes.subarray(0, end);
}

/** The value of a hexadecimal digit in ASCII. */
function digitOf(byte = 0): number {
  return byte < 0x40 ? byte & 0xf : (byte & 0xf) + 9;
}

function escaped(text: string, part: Part): string {
  return text.replaceAll(ESCAPED[part], (run) => Array.from(bytesOf(run), percent).join(''));
}

function percent(byte: number): string {
  return `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;
}

/** The path as it is sent: as it was written where that is sound, else escaped anew. */
export function escapedPath(url: GoUrl): string {
  if (url.rawPath !== '' && isEncoded(url.rawPath, 'path')) return url.rawPath;
  return url.path === '*' ? '*' : escaped(url.path, 'path');
}

function isEncoded(text: string, part: Part): boolean {
  return !needsEscape(text.replaceAll(/[!$&'()*+,;=:@[\]%]+/g, ''), part);
}

/** The URL put together again, as Go's `URL.String`. */
export function urlText(url: GoUrl): string {
  const scheme = url.scheme === '' ? '' : `${url.scheme}:`;
  const query = url.forceQuery || url.rawQuery !== '' ? `?${url.rawQuery}` : '';
  const fragment =
    url.rawFragment !== '' && isEncoded(url.rawFragment, 'fragment')
      ? url.rawFragment
      : escaped(url.fragment, 'fragment');
  return (
    scheme + (url.opaque === '' ? hierText(url) : url.opaque) + query + (url.fragment === '' ? '' : `#${fragment}`)
  );
}

function hierText(url: GoUrl): string {
  const path = escapedPath(url);
  const bare = url.host === '' && url.user === undefined;
  const slashes = !bare || (url.scheme !== '' && !url.omitHost && url.path !== '');
  const authority = slashes ? `//${userText(url)}${escaped(url.host, 'host')}` : '';
  if (authority === '' && url.scheme === '' && (path.split('/')[0] ?? '').includes(':')) return `./${path}`;
  return authority + (path !== '' && !path.startsWith('/') && url.host !== '' ? '/' : '') + path;
}

function userText({ user }: GoUrl): string {
  if (user === undefined) return '';
  const password = user.password === undefined ? '' : `:${escaped(user.password, 'user')}`;
  return `${escaped(user.name, 'user')}${password}@`;
}

function invalid(what: string): BuiltinError {
  return new BuiltinError(`invalid URL: ${what}`);
}
