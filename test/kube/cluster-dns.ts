import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

import { readQuestion, writeAnswer, type DnsAnswer } from './dns-message.ts';
import { callApi, listObjects, type KubeApi, type KubeObject } from './kube-api.ts';
import { NETWORK } from './node-network.ts';

const PORT = 53;

/**
 * The cluster's DNS in small: `SERVICE.NAMESPACE.svc.cluster.local`, headless Services and `HOSTNAME.` of their pods, asked of the API server for each
 * question; IPv4 only. There is no other name.
 */
export async function startClusterDns(api: KubeApi): Promise<{ readonly stop: () => void }> {
  const udp = createSocket('udp4');
  udp.on('message', (query, peer) => {
    void answered(api, query).then((answer) => answer && udp.send(answer, peer.port, peer.address));
  });
  udp.bind(PORT, NETWORK.node);
  const tcp = createServer((socket) => serveStream(api, socket));
  tcp.listen(PORT, NETWORK.node);
  await Promise.all([once(udp, 'listening'), once(tcp, 'listening')]);
  return {
    stop() {
      udp.close();
      tcp.close();
    },
  };
}

/** Messages on a stream have their length before them (RFC 1035 4.2.2). */
function serveStream(api: KubeApi, socket: Socket): void {
  let buffered: Buffer = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const end = 2 + buffered.readUInt16BE(0);
      const query = buffered.subarray(2, end);
      buffered = buffered.subarray(end);
      void answered(api, query).then((answer) => {
        if (answer === undefined) return socket.destroy();
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        return socket.write(Buffer.concat([length, answer]));
      });
    }
  });
}

async function answered(api: KubeApi, query: Buffer): Promise<Buffer | undefined> {
  const question = readQuestion(query);
  if (question === undefined) return undefined;
  // An API server that is away: no answer, and whoever asked asks again.
  const answer = await addressesOf(api, question.name).catch(() => 'away' as const);
  return answer === 'away' ? undefined : writeAnswer(query, question, answer);
}

async function addressesOf(api: KubeApi, name: string): Promise<DnsAnswer> {
  const [labels, rest] = name.split(`.svc.${NETWORK.domain}`);
  if (labels === undefined || rest !== '') return undefined;
  const [namespace, service, hostname, ...more] = labels.split('.').toReversed();
  if (namespace === undefined || service === undefined || more.length > 0) return undefined;
  const { status, json } = await callApi(api, { path: `/api/v1/namespaces/${namespace}/services/${service}` });
  if (status !== 200) return undefined;
  const { clusterIP } = (json as { readonly spec: { readonly clusterIP?: string } }).spec;
  if (hostname === undefined && clusterIP !== undefined && clusterIP !== 'None') return [clusterIP];
  const selector = `labelSelector=kubernetes.io/service-name=${service}`;
  const slices = await listObjects(api, `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?${selector}`);
  const endpoints = slices.flatMap(endpointsOf).filter((each) => hostname === undefined || each.hostname === hostname);
  const addresses = endpoints.filter(({ conditions }) => conditions?.ready !== false).flatMap((each) => each.addresses);
  return hostname !== undefined && endpoints.length === 0 ? undefined : addresses;
}

type Endpoint = {
  readonly addresses: readonly string[];
  readonly hostname?: string;
  readonly conditions?: { readonly ready?: boolean };
};

function endpointsOf(slice: KubeObject): readonly Endpoint[] {
  return (slice['endpoints'] ?? []) as readonly Endpoint[];
}
