import type { PolicyInput } from '../model/policy-input.ts';

/** An input that every policy revision is asked about before it goes live. */
export type Probe = { readonly name: string; readonly input: PolicyInput };

type Http = NonNullable<PolicyInput['attributes']['request']>['http'];

const PEER_ID = 'spiffe://probe.sallyport.invalid/ns/probe/sa/caller';
const AGENT_ID = 'spiffe://probe.sallyport.invalid/ns/probe/sa/agent';

const CONNECTION: PolicyInput = {
  attributes: {
    source: { address: { socketAddress: { address: '192.0.2.1', portValue: 40_000 } }, principal: PEER_ID },
    destination: { address: { socketAddress: { address: '192.0.2.2', portValue: 8443 } }, principal: AGENT_ID },
    tlsSession: { sni: 'agent.probe.invalid' },
    contextExtensions: {},
    metadataContext: {},
  },
  version: { ext_authz: 'v3', encoding: 'protojson' },
  source_principal: PEER_ID,
  sallyport: {
    direction: 'inbound',
    subject: 'connection',
    peer: { spiffe_id: PEER_ID, trust_domain: 'probe.sallyport.invalid', path: '/ns/probe/sa/caller', resumed: false },
    connection: { id: 'probe', tls_version: 'TLSv1.3', alpn: 'h2', sni: 'agent.probe.invalid' },
    agent: { spiffe_id: AGENT_ID, listener: '0.0.0.0:8443' },
  },
};

function request(http: Partial<Http> & Pick<Http, 'method' | 'path'>, rest: Partial<PolicyInput>): PolicyInput {
  return {
    ...CONNECTION,
    attributes: {
      ...CONNECTION.attributes,
      request: {
        time: { seconds: 1_700_000_000, nanos: 0 },
        http: {
          id: '1',
          host: 'agent.probe.invalid',
          scheme: 'https',
          protocol: 'HTTP/1.1',
          headers: {},
          size: 0,
          ...http,
        },
      },
    },
    sallyport: { ...CONNECTION.sallyport, subject: 'request' },
    ...rest,
  };
}

const HEADERS = {
  ':authority': 'agent.probe.invalid',
  ':scheme': 'https',
  accept: 'application/json',
  authorization: 'Basic cHJvYmU6cHJvYmU=',
  'user-agent': 'sallyport-probe',
  'x-request-id': '00000000-0000-4000-8000-000000000000',
};

const TOOL_CALL = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'echo', arguments: { message: 'h\u00e9llo' } },
};

/** What a sidecar typically sees: a plain GET with and without headers, an MCP call with its body, a gRPC call, and a connection without a request. */
export const PROBES: readonly Probe[] = [
  {
    name: 'GET with headers',
    input: request(
      {
        method: 'GET',
        path: '/items/42?full=true',
        headers: { ...HEADERS, ':method': 'GET', ':path': '/items/42?full=true' },
      },
      { parsed_path: ['items', '42'], parsed_query: { full: ['true'] } },
    ),
  },
  {
    name: 'GET without headers',
    input: request({ method: 'GET', path: '/' }, { parsed_path: [''], parsed_query: {} }),
  },
  {
    name: 'POST with a JSON body',
    input: request(
      {
        method: 'POST',
        path: '/mcp',
        headers: { ...HEADERS, ':method': 'POST', ':path': '/mcp', 'content-type': 'application/json' },
        size: JSON.stringify(TOOL_CALL).length,
        body: JSON.stringify(TOOL_CALL),
      },
      { parsed_path: ['mcp'], parsed_query: {}, parsed_body: TOOL_CALL, truncated_body: false },
    ),
  },
  {
    name: 'gRPC call',
    input: request(
      {
        method: 'POST',
        path: '/probe.v1.Echo/Say',
        protocol: 'HTTP/2',
        headers: {
          ...HEADERS,
          ':method': 'POST',
          ':path': '/probe.v1.Echo/Say',
          'content-type': 'application/grpc',
          te: 'trailers',
        },
        size: -1,
      },
      {
        parsed_path: ['probe.v1.Echo', 'Say'],
        parsed_query: {},
        parsed_body: { message: 'hello' },
        truncated_body: false,
      },
    ),
  },
  { name: 'connection', input: CONNECTION },
];
