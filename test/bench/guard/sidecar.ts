import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Counter } from './counter.ts';
import type { Counts } from './counts.ts';
import { DENIED, GET, grpcUpstream, http1Lane, http1Upstream, messageLane, POST, unaryLane } from './lanes.ts';
import { MeasuredSidecar } from './measured-sidecar.ts';

/** What the whole sidecar uses for a request, over real connections, one request at a time. */
export async function countSidecar(): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-guard-'));
  const http1 = await http1Upstream();
  const grpc = await grpcUpstream();
  const sidecar = new MeasuredSidecar(folder, [`http://127.0.0.1:${http1.port}`, `h2c://127.0.0.1:${grpc.port}`]);
  try {
    await sidecar.start(2);
    const tls = { ...sidecar.client, checkServerIdentity: () => undefined };
    const [http1Port = 0, grpcPort = 0] = sidecar.ports;
    const counter = new Counter(sidecar);
    await counter.count('GET', () => http1Lane(http1Port, tls, GET, 200));
    await counter.count('POST 1 KB', () => http1Lane(http1Port, tls, POST, 200));
    await counter.count('GET, denied', () => http1Lane(http1Port, tls, DENIED, 403));
    await counter.count('gRPC unary', () => unaryLane(grpcPort, tls));
    // The call's record is made when it ends, long after its messages.
    await counter.count('gRPC message', () => messageLane(grpcPort, tls), { recorded: false });
    const upstreamSockets = { 'HTTP/1.1, all requests': http1.accepted(), 'gRPC, all calls': grpc.accepted() };
    return { ...counter.counts, upstreamSockets };
  } finally {
    await sidecar.stop();
    await Promise.all([http1.close(), grpc.close()]);
    rmSync(folder, { recursive: true, force: true });
  }
}
