import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';

import { healthRequest, saysServing } from './grpc-health.ts';
import { AGENT_HOST } from './tcp-probe.ts';
import { attempt, unwell, WELL, type Attempt, type ProbeVerdict } from './verdict.ts';

/** A gRPC probe as a pod declares it. */
export type GrpcTarget = { readonly port: number; readonly service: string };

/** A HealthCheckResponse has two bytes; what is longer is none, bytes. */
const ANSWER_BYTES = 1_024;
const SETTINGS = { enablePush: false, maxHeaderListSize: 16_384, initialWindowSize: 65_535 } as const;
/** Of one session, MiB. */
const SESSION_MEMORY = 1;
const OK = '0';

/** A gRPC probe by the kubelet's rules (`pkg/probe/grpc`): `grpc.health.v1.Health/Check` over HTTP/2 without TLS, good when the service is SERVING. Never rejects. */
export function probeGrpc({ port, service }: GrpcTarget, timeoutMs: number): Promise<ProbeVerdict> {
  const under = attempt(timeoutMs);
  const session = connect(`http://${AGENT_HOST}:${port}`, { settings: SETTINGS, maxSessionMemory: SESSION_MEMORY });
  under.onEnd(() => session.destroy());
  session.on('error', (error) => under.end(unwell(error.message)));
  session.on('close', () => under.end(unwell('the connection was closed')));
  session.on('connect', () => check(session, service, under));
  return under.done;
}

function check(session: ClientHttp2Session, service: string, under: Attempt): void {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    'user-agent': 'kube-probe/sallyport',
    te: 'trailers',
  });
  const chunks: Uint8Array[] = [];
  let length = 0;
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  stream.on('response', (headers) => (head = headers));
  stream.on('trailers', (fields) => (trailers = fields));
  stream.on('data', (chunk: Uint8Array) => {
    length += chunk.length;
    if (length > ANSWER_BYTES) under.end(unwell('the answer is no health status: it is too long'));
    else chunks.push(chunk);
  });
  stream.on('error', (error) => under.end(unwell(error.message)));
  stream.on('end', () => under.end(judge(head, trailers ?? head, Buffer.concat(chunks))));
  stream.end(healthRequest(service));
}

function judge(head: IncomingHttpHeaders, trailers: IncomingHttpHeaders, body: Uint8Array): ProbeVerdict {
  const http = Number(head[':status']);
  if (http !== 200) return unwell(`answered HTTP ${http}`);
  const status = String(trailers['grpc-status']);
  if (status !== OK) return unwell(`answered grpc-status ${/^\d{1,3}$/.test(status) ? status : 'unknown'}`);
  return saysServing(body) ? WELL : unwell('the service is not SERVING');
}
