import { parseListen } from './addresses.ts';
import { count, duration, list, mapOf, oneOf, section, text } from './fields.ts';

/** `CONTAINER/KIND`: a container's name is a DNS label (RFC 1123 2.1), as Kubernetes wants it. */
const TARGET = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\/(?:liveness|readiness|startup)$/;

/** RFC 9110 5.6.2: `token`. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;

/** RFC 9110 5.5: nothing in it can end the field. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]{0,4096}$/;

/** Fields that say where a message ends: a probe has no body. */
const FRAMING = /^(?:content-length|transfer-encoding|connection|upgrade|te|trailer|expect)$/i;

const matching = (expected: string, isGood: (value: string) => boolean) =>
  text(expected, (value) => (isGood(value) ? value : undefined));

const port = () => count(1, 65_535).describe('Port of the container; it is asked on 127.0.0.1.');

const header = section({
  name: matching('the name of a field (RFC 9110) that does not frame the message', (value) => {
    return FIELD_NAME.test(value) && !FRAMING.test(value);
  }).describe('Name of the field.'),
  value: matching('the value of a field (RFC 9110)', (value) => FIELD_VALUE.test(value)).describe('Its value.'),
});

const http = section({
  port: port(),
  path: matching('a path of at most 2048 characters', (value) => value.length <= 2_048 && !/[\0-\x1f\x7f]/.test(value))
    .prefault('/')
    .describe('Path, with a query where there is one.'),
  scheme: oneOf('http', 'https').prefault('http').describe('`https`: the certificate is not verified.'),
  headers: list('header fields', header)
    .prefault([])
    .describe('Fields to send (`httpHeaders`); a `Host` among them replaces the address of the pod.'),
});

const grpc = section({
  port: port(),
  service: matching('the name of a service', (value) => value.length <= 1_024)
    .prefault('')
    .describe('Service that is asked about, by `grpc.health.v1.Health/Check`; empty for the server as a whole.'),
});

/** `probes`: what the kubelet asks, without a certificate. */
export const probesSection = section({
  listen: text(
    'an IP address and a port, such as 0.0.0.0:15020',
    parseListen,
    /^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]+$/,
  ).describe(
    'Address for the kubelet: plain HTTP, `/startupz`, `/healthz`, `/readyz` and `/probe/CONTAINER/KIND`. It answers with a status alone and lets nothing else in.',
  ),
  targets: mapOf(
    'CONTAINER/liveness, CONTAINER/readiness or CONTAINER/startup',
    TARGET,
    section({
      http: http.optional().describe('An HTTP probe: good from 200 to 399.'),
      grpc: grpc.optional().describe('A gRPC health probe: good when the service is SERVING.'),
      tcp: section({ port: port() }).optional().describe('A TCP probe: good when a connection is accepted.'),
      timeout: duration(100, 3_600_000)
        .prefault('1s')
        .describe('How long the container may take to answer (`timeoutSeconds`).'),
    }),
  )
    .prefault({})
    .describe(
      "The agent's own probes, which the kubelet cannot ask directly. Each has one of `http`, `grpc` and `tcp`.",
    ),
});
