import { join } from 'node:path';

import { rbacPolicies } from '../access.ts';
import type { PolicyName, World } from '../target.ts';

/** One arrangement of Envoy. */
export type EnvoyArrangement = {
  /** `authz`: asks a server on a unix socket, by ext_authz. */
  readonly judge: { readonly kind: 'none' | 'rbac' } | { readonly kind: 'authz'; readonly socket: string };
  /** File that gets a line of JSON for each request. */
  readonly accessLog?: string;
};

const TYPE = 'type.googleapis.com/envoy';
const LIMITS = {
  buffer: 32_768,
  streams: 100,
  streamWindow: 65_536,
  connectionWindow: 1_048_576,
  body: 8_192,
} as const;

type Typed = { readonly '@type': string } & Readonly<Record<string, unknown>>;
type Filter = { readonly name: string; readonly typed_config: Typed };

/** Whole configuration of an Envoy as a careful user would have it at the edge of an agent (Envoy's "Configuring Envoy as an edge proxy"). */
export function envoyConfig(world: World, policy: PolicyName, port: number, arrangement: EnvoyArrangement): object {
  const { judge } = arrangement;
  const { upstream } = world;
  const clusters = [cluster('http1', tcp(upstream.http1)), cluster('h2c', tcp(upstream.h2c), true)];
  if (judge.kind === 'authz') clusters.push(cluster('authz', { pipe: { path: judge.socket } }, true));
  const manager = {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: httpManager(policy, arrangement),
  };
  const chain = {
    transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: downstreamTls(world.folder) },
    filters: [manager],
  };
  const listener = {
    name: 'peers',
    address: tcp(port),
    per_connection_buffer_limit_bytes: LIMITS.buffer,
    filter_chains: [chain],
  };
  return { static_resources: { listeners: [listener], clusters } };
}

function httpManager(policy: PolicyName, { judge, accessLog }: EnvoyArrangement): Typed {
  return {
    '@type': `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'peers',
    codec_type: 'AUTO',
    use_remote_address: true,
    forward_client_cert_details: 'SANITIZE_SET',
    set_current_client_cert_details: { uri: true },
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: 'REJECT_REQUEST',
    common_http_protocol_options: { idle_timeout: '3600s', headers_with_underscores_action: 'REJECT_REQUEST' },
    http2_protocol_options: {
      max_concurrent_streams: LIMITS.streams,
      initial_stream_window_size: LIMITS.streamWindow,
      initial_connection_window_size: LIMITS.connectionWindow,
    },
    stream_idle_timeout: '300s',
    request_headers_timeout: '10s',
    request_timeout: '300s',
    route_config: { virtual_hosts: [{ name: 'agent', domains: ['*'], routes: ROUTES }] },
    http_filters: [...judgingFilters(policy, judge), ROUTER],
    ...(accessLog !== undefined && { access_log: [fileLog(accessLog)] }),
  };
}

/** Calls go on as what they are, the rest as HTTP/1.1. */
const ROUTES = [
  { match: { prefix: '/', grpc: {} }, route: { cluster: 'h2c', timeout: '60s' } },
  { match: { prefix: '/' }, route: { cluster: 'http1', timeout: '60s' } },
] as const;

const ROUTER: Filter = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': `${TYPE}.extensions.filters.http.router.v3.Router` },
};

function judgingFilters(policy: PolicyName, { kind }: EnvoyArrangement['judge']): readonly Filter[] {
  if (kind === 'none') return [];
  if (kind === 'authz')
    return [{ name: 'envoy.filters.http.ext_authz', typed_config: extAuthz(policy === 'json-body') }];
  const rules = { action: 'ALLOW', policies: rbacPolicies(policy) };
  const type = `${TYPE}.extensions.filters.http.rbac.v3.RBAC`;
  return [{ name: 'envoy.filters.http.rbac', typed_config: { '@type': type, rules } }];
}

/** Fails closed. Two seconds, so that a saturated server is measured as slow, not as refusing. */
function extAuthz(hasBody: boolean): Typed {
  return {
    '@type': `${TYPE}.extensions.filters.http.ext_authz.v3.ExtAuthz`,
    transport_api_version: 'V3',
    failure_mode_allow: false,
    grpc_service: { envoy_grpc: { cluster_name: 'authz' }, timeout: '2s' },
    ...(hasBody && { with_request_body: { max_request_bytes: LIMITS.body, allow_partial_message: false } }),
  };
}

function downstreamTls(folder: string): Typed {
  const file = (name: string): object => ({ filename: join(folder, name) });
  return {
    '@type': `${TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    common_tls_context: {
      alpn_protocols: ['h2', 'http/1.1'],
      tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
      tls_certificates: [{ certificate_chain: file('agent.pem'), private_key: file('agent.key') }],
      validation_context: { trusted_ca: file('ca.pem') },
    },
  };
}

/** What of a decision record Envoy knows. */
function fileLog(path: string): Filter {
  const json = {
    timestamp: '%START_TIME%',
    request_id: '%REQ(X-REQUEST-ID)%',
    peer: '%DOWNSTREAM_PEER_URI_SAN%',
    agent: '%DOWNSTREAM_LOCAL_URI_SAN%',
    peer_serial: '%DOWNSTREAM_PEER_SERIAL%',
    peer_fingerprint: '%DOWNSTREAM_PEER_FINGERPRINT_256%',
    peer_issuer: '%DOWNSTREAM_PEER_ISSUER%',
    peer_not_before: '%DOWNSTREAM_PEER_CERT_V_START%',
    peer_not_after: '%DOWNSTREAM_PEER_CERT_V_END%',
    tls_version: '%DOWNSTREAM_TLS_VERSION%',
    sni: '%REQUESTED_SERVER_NAME%',
    source: '%DOWNSTREAM_REMOTE_ADDRESS%',
    destination: '%DOWNSTREAM_LOCAL_ADDRESS%',
    connection: '%CONNECTION_ID%',
    method: '%REQ(:METHOD)%',
    path: '%REQ(:PATH)%',
    host: '%REQ(:AUTHORITY)%',
    scheme: '%REQ(:SCHEME)%',
    protocol: '%PROTOCOL%',
    user_agent: '%REQ(USER-AGENT)%',
    content_type: '%REQ(CONTENT-TYPE)%',
    status: '%RESPONSE_CODE%',
    grpc_status: '%GRPC_STATUS_NUMBER%',
    details: '%RESPONSE_CODE_DETAILS%',
    flags: '%RESPONSE_FLAGS%',
    bytes_in: '%BYTES_RECEIVED%',
    bytes_out: '%BYTES_SENT%',
    duration: '%DURATION%',
    upstream: '%UPSTREAM_HOST%',
  };
  const type = `${TYPE}.extensions.access_loggers.file.v3.FileAccessLog`;
  return {
    name: 'envoy.access_loggers.file',
    typed_config: { '@type': type, path, log_format: { json_format: json } },
  };
}

function cluster(name: string, address: object, isHttp2 = false): object {
  const options = `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`;
  const http2 = { '@type': options, explicit_http_config: { http2_protocol_options: {} } };
  const key = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    per_connection_buffer_limit_bytes: LIMITS.buffer,
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    ...(isHttp2 && { typed_extension_protocol_options: { [key]: http2 } }),
  };
}

function tcp(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
