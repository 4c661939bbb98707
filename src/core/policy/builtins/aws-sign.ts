import { createHash, createHmac } from 'node:crypto';

import { BuiltinError, integerArg, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { compareStrings } from '../term-order.ts';
import { str } from '../term.ts';
import type { Term } from '../term.ts';
import { chargeRequest } from './crypto-cost.ts';
import { goJson } from './go-json.ts';
import { escapedPath, parseUrl } from './go-url.ts';
import type { GoUrl } from './go-url.ts';
import { jsonTerm, members, record } from './json-term.ts';
import { civilOf } from './moment.ts';
import { formatTime } from './time-format.ts';

type Fields = ReadonlyMap<string, Term>;
type Signing = {
  readonly method: string;
  readonly url: GoUrl;
  readonly body: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly config: Fields;
  readonly ns: bigint;
};

const REQUIRED_CONFIG = ['aws_service', 'aws_access_key', 'aws_secret_access_key', 'aws_region'];
/** What a request object may hold: the parameters of `http.send`. */
const REQUEST_KEYS = new Set(
  (
    'method url body enable_redirect force_json_decode force_yaml_decode headers raw_body tls_use_system_certs tls_ca_cert tls_ca_cert_file ' +
    'tls_ca_cert_env_variable tls_client_cert tls_client_cert_file tls_client_cert_env_variable tls_client_key tls_client_key_file ' +
    'tls_client_key_env_variable tls_insecure_skip_verify tls_server_name timeout cache force_cache force_cache_duration_seconds raise_error ' +
    'caching_mode max_retry_attempts cache_ignored_headers'
  ).split(' '),
);
/** Headers that something on the way may change are not signed. */
const UNSIGNED = new Set(['authorization', 'user-agent', 'x-amzn-trace-id']);
const CONTENT_HASH = 'x-amz-content-sha256';

/** `providers.aws.sign_req`: the request with the headers of AWS Signature Version 4, for the time that is given. */
function signRequest(args: readonly Term[], cost: BuiltinContext): Term {
  const request = objectArg(args, 0);
  const config = members(objectArg(args, 1));
  for (const name of REQUIRED_CONFIG)
    if (config.get(name)?.kind !== 'string') throw new BuiltinError(`AWS config lacks the string ${name}`);
  const ns = integerArg(args, 2);
  const fields = members(request);
  const strange = request.entries.some(([key]) => key.kind !== 'string' || !REQUEST_KEYS.has(key.value));
  const [method, url] = [fields.get('method'), fields.get('url')];
  if (strange || method?.kind !== 'string' || url?.kind !== 'string')
    throw new BuiltinError('invalid request parameters');
  chargeRequest(cost, url.value, goJson(jsonTerm(request)));
  const headers = headersOf(fields.get('headers'));
  const made = signatureHeaders({
    method: method.value,
    url: parseUrl(url.value),
    body: bodyOf(fields),
    headers,
    config,
    ns,
  });
  const all = new Map([...headers, ...made].map(([name, value]) => [name, str(value)]));
  return record(new Map([...fields, ['headers', record(all)]]));
}

function objectArg(args: readonly Term[], index: number): Term & { kind: 'object' } {
  const term = args[index];
  if (term?.kind !== 'object') throw wrongType(index, 'object', term);
  return term;
}

/** Names and values that are no strings are empty ones. */
function headersOf(term: Term | undefined): Map<string, string> {
  if (term === undefined) return new Map();
  if (term.kind !== 'object') throw wrongType(0, 'object', term);
  return new Map(term.entries.map(([name, value]) => [textOf(name), textOf(value)]));
}

function textOf(term: Term | undefined): string {
  return term?.kind === 'string' ? term.value : '';
}

/** `raw_body` as it is, else `body` as JSON. */
function bodyOf(fields: Fields): string {
  const [raw, body] = [fields.get('raw_body'), fields.get('body')];
  if (raw !== undefined) return textOf(raw);
  return body === undefined ? '' : goJson(jsonTerm(body));
}

function signatureHeaders({ method, url, body, headers, config, ns }: Signing): Map<string, string> {
  const civil = civilOf(ns, 'UTC');
  const day = formatTime('20060102', civil, () => '');
  const moment = formatTime('20060102T150405Z', civil, () => '');
  const hash = isUnsigned(config) ? 'UNSIGNED-PAYLOAD' : sha256(body);
  const [service, region] = [textOf(config.get('aws_service')), textOf(config.get('aws_region'))];
  const own = new Map([
    ['host', url.host],
    ['x-amz-date', moment],
  ]);
  if (service === 's3' || service === 'glacier') own.set(CONTENT_HASH, hash);
  const token = textOf(config.get('aws_session_token'));
  if (token !== '') own.set('x-amz-security-token', token);
  const sent = new Map([...own, ...Array.from(headers, ([name, value]) => [name.toLowerCase(), value] as const)]);
  const names = Array.from(sent.keys())
    .filter((name) => !UNSIGNED.has(name))
    .toSorted(compareStrings);
  const lines = names.map((name) => `${name}:${sent.get(name)}\n`).join('');
  const canonical = [method, escapedPath(url), url.rawQuery, lines, names.join(';'), hash].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', moment, scope, sha256(canonical)].join('\n');
  const secret = `AWS4${textOf(config.get('aws_secret_access_key'))}`;
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>((from, part) => hmac(from, part), secret);
  const credential = `${textOf(config.get('aws_access_key'))}/${scope}`;
  const signature = hmac(key, text).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${names.join(';')},Signature=${signature}`;
  return new Map([['Authorization', authorization], ...own]);
}

function isUnsigned(config: Fields): boolean {
  const value = config.get('disable_payload_signing');
  if (value !== undefined && value.kind !== 'boolean')
    throw new BuiltinError("invalid value for 'disable_payload_signing'");
  return value?.value ?? false;
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

/** Requests to AWS, signed; nothing is sent. */
export const AWS_BUILTINS: Readonly<Record<string, Builtin>> = {
  'providers.aws.sign_req': { arity: 3, call: signRequest },
};
