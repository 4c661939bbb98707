import type { PolicyInput } from '../../src/core/model/policy-input.ts';

/** Who calls whom, and what for; `undefined` IDs are anonymous. Defaults: inbound, `GET /`. */
export type Call = {
  readonly caller: string | undefined;
  readonly agent: string | undefined;
  readonly method?: string;
  readonly path?: readonly string[];
  readonly body?: unknown;
  readonly direction?: 'inbound' | 'outbound';
};

const END = { address: { socketAddress: { address: '192.0.2.1', portValue: 8443 } } };

/** The input of a request as the gate builds it (`core/gate/input.ts`), with `parsed_body` where there is a body. */
export function requestOf({ method = 'GET', path = [''], body, ...call }: Call): PolicyInput {
  const target = `/${path.join('/')}`;
  const { attributes, ...rest } = connectionOf(call);
  return {
    ...rest,
    attributes: {
      ...attributes,
      request: {
        time: { seconds: 1_700_000_000, nanos: 0 },
        http: {
          id: '1',
          method,
          path: target,
          host: 'agent.example.org',
          scheme: 'https',
          protocol: 'HTTP/2',
          headers: { ':authority': 'agent.example.org', ':method': method, ':path': target, ':scheme': 'https' },
          size: 0,
        },
      },
    },
    parsed_path: path,
    parsed_query: {},
    ...(body !== undefined && { parsed_body: body }),
    sallyport: { ...rest.sallyport, subject: 'request' },
  };
}

/** The input of a connection whose bytes are forwarded unread: neither `attributes.request` nor `parsed_path`. */
export function connectionOf({ caller, agent, direction = 'inbound' }: Call): PolicyInput {
  return {
    attributes: {
      source: { ...END, ...(caller !== undefined && { principal: caller }) },
      destination: { ...END, ...(agent !== undefined && { principal: agent }) },
      metadataContext: {},
    },
    version: { ext_authz: 'v3', encoding: 'protojson' },
    ...(caller !== undefined && { source_principal: caller }),
    sallyport: {
      direction,
      subject: 'connection',
      peer: { ...(caller !== undefined && { spiffe_id: caller }), resumed: false },
      connection: { id: '1', tls_version: 'TLSv1.3', alpn: 'h2' },
      agent: { ...(agent !== undefined && { spiffe_id: agent }), listener: '0.0.0.0:8443' },
    },
  };
}
