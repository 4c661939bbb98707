/**
 * The one table of reasons to refuse or to end early. Protocol writers look here; nothing else chooses a status.
 * The caller only ever sees `http`/`grpc` and a title that follows from them; code and detail go to the record.
 */

/** One row. gRPC codes as in the gRPC specification ("Status codes and their use"). */
export type FaultRow = {
  /** Who has to change something for this to stop. */
  readonly party: 'peer' | 'policy' | 'upstream' | 'us' | 'operator';
  /** HTTP status of the refusal; 0 where the connection is closed without an answer. */
  readonly http: number;
  /** gRPC status of the refusal. */
  readonly grpc: number;
  /** True where the connection cannot be used for a further request. */
  readonly close: boolean;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** For the documentation: what it means and what to do about it. */
  readonly meaning: string;
};

type Party = FaultRow['party'];
type Level = FaultRow['level'];

function row(
  party: Party,
  http: number,
  grpc: number,
  keep: 'keep' | 'close',
  level: Level,
  meaning: string,
): FaultRow {
  return { party, http, grpc, close: keep === 'close', level, meaning };
}

export const FAULTS = {
  // The connection, before a request.
  tls_handshake_failed: row('peer', 0, 14, 'close', 'info', 'The TLS handshake failed or was given up by the peer.'),
  tls_handshake_timeout: row('peer', 0, 14, 'close', 'info', 'The TLS handshake did not end in time.'),
  tls_protocol_refused: row(
    'peer',
    0,
    14,
    'close',
    'info',
    'The peer agreed on no application protocol that this listener serves.',
  ),
  connection_limit: row('peer', 0, 14, 'close', 'warn', 'The listener already holds as many connections as it may.'),
  connection_idle_timeout: row(
    'peer',
    0,
    14,
    'close',
    'debug',
    'The connection was open, but no request came in time.',
  ),
  draining: row('us', 503, 14, 'close', 'info', 'This sidecar is shutting down.'),

  // The peer's certificate (X509-SVID; RFC 5280).
  peer_certificate_missing: row('peer', 0, 16, 'close', 'info', 'The peer sent no certificate.'),
  peer_certificate_malformed: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'A certificate of the chain is not well-formed DER X.509, or breaks a bound on size or count.',
  ),
  peer_chain_too_long: row('peer', 0, 16, 'close', 'info', 'The peer sent more certificates than a path may hold.'),
  peer_id_missing: row('peer', 0, 16, 'close', 'info', 'The leaf has no URI SAN (X509-SVID 2).'),
  peer_id_ambiguous: row('peer', 0, 16, 'close', 'info', 'The leaf has more than one URI SAN (X509-SVID 2).'),
  peer_id_malformed: row('peer', 0, 16, 'close', 'info', 'The URI SAN is not a SPIFFE ID (SPIFFE-ID 2).'),
  peer_id_without_path: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'The SPIFFE ID names a trust domain, not a workload (X509-SVID 4.1).',
  ),
  peer_trust_domain_unknown: row(
    'peer',
    0,
    16,
    'close',
    'info',
    "There is no trust bundle for the trust domain of the peer's ID.",
  ),
  peer_chain_untrusted: row(
    'peer',
    0,
    16,
    'close',
    'info',
    "No path leads from the leaf to the bundle of the ID's own trust domain.",
  ),
  peer_signature_invalid: row('peer', 0, 16, 'close', 'info', 'A signature in the chain does not verify.'),
  peer_certificate_expired: row('peer', 0, 16, 'close', 'info', 'A certificate of the chain is past its notAfter.'),
  peer_certificate_not_yet_valid: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'A certificate of the chain is before its notBefore; check the clocks.',
  ),
  peer_leaf_is_ca: row('peer', 0, 16, 'close', 'info', 'The leaf is a CA certificate (X509-SVID 4.1).'),
  peer_key_usage_missing: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'The leaf has no key usage extension, or it is not critical (X509-SVID 4.3).',
  ),
  peer_key_usage_invalid: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'The leaf lacks digitalSignature, or has keyCertSign or cRLSign (X509-SVID 4.3).',
  ),
  peer_extended_key_usage_invalid: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'The leaf has an extended key usage without both serverAuth and clientAuth (X509-SVID 4.4).',
  ),
  peer_san_not_critical: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'The subject is empty and the SAN extension is not critical (RFC 5280 4.2.1.6).',
  ),
  peer_issuer_not_ca: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'A signing certificate is no CA or lacks keyCertSign (X509-SVID 4.2, RFC 5280 4.2.1.9).',
  ),
  peer_issuer_id_invalid: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'A signing certificate has a SPIFFE ID with a path, or of another trust domain.',
  ),
  peer_path_length_exceeded: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'The path is longer than pathLenConstraint allows (RFC 5280 4.2.1.9).',
  ),
  peer_name_constraint_violated: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'The ID is outside the name constraints of a signing certificate (RFC 5280 4.2.1.10).',
  ),
  peer_critical_extension_unknown: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'A certificate has a critical extension that we do not process (RFC 5280 4.2).',
  ),
  peer_algorithm_refused: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'A key or signature algorithm is too weak or not supported.',
  ),
  peer_certificate_revoked: row(
    'peer',
    0,
    16,
    'close',
    'warn',
    'A certificate of the chain is on a certificate revocation list.',
  ),
  peer_revocation_unknown: row(
    'operator',
    0,
    16,
    'close',
    'warn',
    'Revocation lists are required and there is no usable one for an issuer in the chain.',
  ),
  peer_resumption_unverified: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'A resumed session whose chain was not judged under the current trust.',
  ),
  peer_transport_unauthorized: row(
    'peer',
    0,
    16,
    'close',
    'info',
    'The TLS library refused the chain although our own rules found nothing.',
  ),
  peer_blocked: row('operator', 0, 16, 'close', 'warn', 'The peer is blocked.'),

  // The request head.
  request_malformed: row('peer', 400, 13, 'close', 'info', 'The protocol parser could not read the request.'),
  request_timeout: row('peer', 408, 4, 'close', 'info', 'Head or body of the request did not arrive in time.'),
  request_line_invalid: row('peer', 400, 13, 'close', 'info', 'Method, target or version is not allowed (RFC 9112 3).'),
  method_refused: row('peer', 405, 12, 'keep', 'info', 'CONNECT, TRACE or a method that is no token.'),
  target_invalid: row(
    'peer',
    400,
    13,
    'close',
    'info',
    'The request target is not a plain absolute path (RFC 9112 3.2), or does not agree with Host.',
  ),
  target_too_long: row('peer', 414, 13, 'close', 'info', 'The request target is longer than allowed.'),
  path_ambiguous: row(
    'peer',
    400,
    13,
    'keep',
    'info',
    'The path could be read in two ways: encoded or double slashes, dot segments, back-slashes, matrix parameters, encoded NUL or controls, bad percent-encoding.',
  ),
  host_invalid: row(
    'peer',
    400,
    13,
    'close',
    'info',
    'Host is missing, duplicate or malformed (RFC 9112 3.2), or differs from :authority (RFC 9113 8.3.1).',
  ),
  header_invalid: row(
    'peer',
    400,
    13,
    'close',
    'info',
    'A field name or value has bytes that are not allowed (RFC 9110 5.1, 5.5).',
  ),
  header_duplicate: row('peer', 400, 13, 'close', 'info', 'A field that may stand once is there twice.'),
  headers_too_large: row('peer', 431, 8, 'close', 'info', 'Too many header fields or bytes.'),
  framing_ambiguous: row(
    'peer',
    400,
    13,
    'close',
    'info',
    'Content-Length and Transfer-Encoding disagree or are not of the one accepted form (RFC 9112 6).',
  ),
  pseudo_header_invalid: row(
    'peer',
    400,
    13,
    'keep',
    'info',
    'Pseudo-header fields are missing, duplicate or not allowed (RFC 9113 8.3).',
  ),
  upgrade_refused: row(
    'peer',
    400,
    13,
    'close',
    'info',
    'An upgrade that is not a sound WebSocket handshake (RFC 6455 4.2.1), or bytes before its answer.',
  ),
  expectation_failed: row('peer', 417, 13, 'close', 'info', 'An Expect other than 100-continue (RFC 9110 10.1.1).'),
  grpc_malformed: row(
    'peer',
    400,
    13,
    'keep',
    'info',
    'A gRPC request without POST, te: trailers, or with a malformed grpc-timeout or path.',
  ),

  // The agent's own call, on an outbound listener.
  destination_unknown: row(
    'operator',
    403,
    7,
    'keep',
    'warn',
    'The agent called a host that `outbound[].destinations` does not name. Add it there, or call a host that is.',
  ),
  caller_refused: row(
    'peer',
    407,
    16,
    'keep',
    'warn',
    'A call on an outbound listener without the token that the agent was given. Is HTTP_PROXY of the form http://agent:TOKEN@host:port?',
  ),
  call_not_plain: row(
    'peer',
    400,
    13,
    'close',
    'warn',
    'CONNECT, an https:// target or a TLS handshake on an outbound listener. Call http://: the sidecar makes the mutual TLS. Libraries of gRPC and WebSocket send CONNECT where HTTP_PROXY is set: let them dial the listener itself, with the destination as :authority or Host.',
  ),
  browser_refused: row(
    'peer',
    403,
    7,
    'close',
    'warn',
    'A call on an outbound listener with Origin or Sec-Fetch-Site: sent by a web page in a browser, or passed on by an agent, which should leave these fields out.',
  ),

  // The body and its flow.
  body_too_large: row(
    'peer',
    413,
    8,
    'close',
    'info',
    'The policy reads the body and it is larger than may be inspected, or larger than allowed at all.',
  ),
  body_malformed: row(
    'peer',
    400,
    3,
    'close',
    'info',
    'The policy reads the body and it is not what its content type says.',
  ),
  query_malformed: row(
    'peer',
    400,
    3,
    'keep',
    'info',
    'The query is not well-formed percent-encoding (OPA-Envoy parsed_query).',
  ),
  flood: row(
    'peer',
    0,
    14,
    'close',
    'warn',
    'The connection sent resets, pings, settings or empty frames beyond any use.',
  ),
  stream_idle_timeout: row('peer', 408, 4, 'close', 'info', 'No byte moved in either direction for too long.'),
  peer_aborted: row('peer', 0, 1, 'close', 'debug', 'The peer closed or reset before the answer was complete.'),
  peer_not_reading: row('peer', 0, 14, 'close', 'info', 'The peer did not read its answer in time.'),

  // The decision.
  policy_denied: row('policy', 403, 7, 'keep', 'info', 'The policy said no.'),
  policy_undefined: row('policy', 403, 7, 'keep', 'warn', 'The policy gave no answer for this input.'),
  policy_result_invalid: row(
    'policy',
    403,
    7,
    'keep',
    'error',
    'The answer of the policy is not a boolean or a decision object.',
  ),
  policy_conflict: row(
    'policy',
    403,
    7,
    'keep',
    'error',
    'Two rules of the policy gave different values (OPA eval_conflict_error).',
  ),
  policy_budget_exceeded: row('policy', 403, 7, 'keep', 'error', 'Evaluation took more steps than it may.'),
  policy_memory_exceeded: row('policy', 403, 7, 'keep', 'error', 'Evaluation needed more memory than it may have.'),
  policy_input_too_large: row(
    'peer',
    403,
    7,
    'keep',
    'warn',
    'The input of the policy is larger or more deeply nested than may be evaluated.',
  ),
  policy_input_invalid: row(
    'peer',
    403,
    7,
    'keep',
    'warn',
    'The input holds text that is no Unicode (lone surrogates).',
  ),
  policy_failed: row('policy', 403, 7, 'keep', 'error', 'Evaluation ended in an error.'),
  policy_obligation_invalid: row(
    'policy',
    403,
    7,
    'keep',
    'error',
    'An allow demands something that cannot be done: a bad header name or value, a bad query parameter.',
  ),
  policy_unavailable: row('operator', 503, 14, 'keep', 'error', 'No policy revision is active.'),
  policy_withdrawn: row('policy', 403, 7, 'close', 'info', 'A new policy revision no longer allows this open stream.'),

  // Ourselves.
  journal_unavailable: row(
    'operator',
    503,
    14,
    'close',
    'error',
    'The decision could not be written down, so the request was refused.',
  ),
  overloaded: row('us', 503, 14, 'close', 'warn', 'Too many requests are under way.'),
  internal_error: row('us', 500, 13, 'close', 'error', 'A fault in Sallyport. Please report it with the decision id.'),

  // The destination of the agent's own call.
  destination_unreachable: row(
    'upstream',
    502,
    14,
    'keep',
    'warn',
    'The destination of an outbound call could not be reached: its name does not resolve, or no address of it accepts connections.',
  ),
  destination_tls_failed: row(
    'upstream',
    502,
    14,
    'keep',
    'warn',
    'The TLS 1.3 handshake with the destination failed or did not end in time.',
  ),
  destination_protocol_refused: row(
    'upstream',
    502,
    14,
    'keep',
    'warn',
    'The destination speaks none of the HTTP versions that are configured for it (ALPN, RFC 7301).',
  ),
  destination_unverified: row(
    'upstream',
    502,
    14,
    'keep',
    'warn',
    "The destination's certificate was refused, in the handshake or later; the detail begins with the code of the rule that it broke.",
  ),
  destination_identity_mismatch: row(
    'upstream',
    502,
    14,
    'keep',
    'error',
    'The destination proved another SPIFFE ID than those configured for it.',
  ),
  destination_refused_identity: row(
    'upstream',
    502,
    14,
    'keep',
    'warn',
    'The destination refused our certificate by a TLS alert. Does it trust our authority, and is our certificate valid by its clock?',
  ),
  destination_circuit_open: row(
    'upstream',
    503,
    14,
    'keep',
    'warn',
    'The destination failed several times in a row, so that no calls are made to it for a while; the detail says how long.',
  ),
  destination_overloaded: row(
    'us',
    503,
    14,
    'keep',
    'warn',
    'As many calls to this destination as may be at once are under way, or waiting for a connection.',
  ),
  identity_unavailable: row(
    'operator',
    503,
    14,
    'keep',
    'error',
    'There is no valid certificate of our own: nobody is let in, and no outbound call can be made.',
  ),

  // The agent, or the destination of its call.
  upstream_unreachable: row('upstream', 502, 14, 'keep', 'warn', 'The agent could not be reached.'),
  upstream_timeout: row(
    'upstream',
    504,
    4,
    'keep',
    'warn',
    'The agent, or the destination of its call, did not answer in time.',
  ),
  upstream_protocol_error: row(
    'upstream',
    502,
    13,
    'keep',
    'warn',
    'The answer of the agent, or of the destination of its call, is not well-formed.',
  ),
  upstream_aborted: row(
    'upstream',
    502,
    14,
    'close',
    'warn',
    'The agent, or the destination of its call, ended its answer early.',
  ),
  upstream_upgrade_refused: row(
    'upstream',
    502,
    14,
    'close',
    'info',
    'The agent did not accept the WebSocket upgrade.',
  ),
} as const satisfies Record<string, FaultRow>;

/** Every code there is; also the closed label set of metrics. */
export type FaultCode = keyof typeof FAULTS;

/** One occurrence. `detail` is for the operator (record, log) and never leaves on the wire; it holds no secrets. */
export type Fault = { readonly kind: 'fault'; readonly code: FaultCode; readonly detail: string };

/** Makes a fault. */
export function fault(code: FaultCode, detail: string): Fault {
  return { kind: 'fault', code, detail };
}
