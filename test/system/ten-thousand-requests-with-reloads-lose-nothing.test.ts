import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { sallyport } from '../support/cli.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { createAuthority } from '../support/pki.ts';
import {
  answer,
  ask,
  connectHttp1,
  connectHttp2,
  get,
  grpcHead,
  grpcMessage,
  post,
} from '../support/system-clients.ts';
import { OWN_ID, startSystem, type System } from '../support/system.ts';

const REQUESTS = 10_000;
/** Requests between two rounds of changes. */
const ROUND = 400;

/** Everything but what lies below `/never`; the revision is in the data, so that each round has one of its own. */
const RULE = `package test.authz

default decision := false

decision if {
	data.revision
	not startswith(input.attributes.request.http.path, "/never")
}
`;
const policy = (round: number) => ({ rego: RULE, data: { revision: `r${round}` }, revision: `r${round}` });

/** Gives out numbers of requests until there are enough. */
class Tickets {
  #taken = 0;

  get taken(): number {
    return this.#taken;
  }

  take(): number | undefined {
    if (this.#taken >= REQUESTS) return undefined;
    this.#taken += 1;
    return this.#taken;
  }
}

type Worker = (context: TestContext, system: System, tickets: Tickets, denied: number[]) => Promise<void>;

/** GETs and POSTs, every 17th denied, on a connection that is renewed every 150 requests. */
const http1: Worker = async (context, system, tickets, denied) => {
  let peer = await connectHttp1(context, system);
  for (let id = tickets.take(), sent = 1; id !== undefined; id = tickets.take(), sent += 1) {
    if (sent % 150 === 0) {
      peer.close();
      peer = await connectHttp1(context, system);
    }
    if (id % 17 === 0) {
      denied.push(id);
      assert.equal((await get(peer, `/never/${id}`)).status, 403);
    } else if (id % 2 === 0) {
      const response = await get(peer, `/plain/${id}`);
      assert.equal(response.status, 200);
      assert.match(response.body, new RegExp(`/plain/${id} HTTP/1.1`));
    } else {
      const response = await post(peer, `/echo/${id}`, 'text/plain', `body of ${id}`);
      assert.deepEqual([response.status, response.body], [200, `body of ${id}`]);
    }
  }
};

/** Requests over HTTP/2, eight at a time. */
const http2: Worker = async (context, system, tickets) => {
  const session = await connectHttp2(context, system);
  const lane = async (): Promise<void> => {
    for (let id = tickets.take(); id !== undefined; id = tickets.take()) {
      const stream = ask(session, { ':path': `/echo/${id}`, ':method': 'PUT' }, false);
      stream.end(`body of ${id}`);
      const { headers, body } = await answer(stream);
      assert.deepEqual([headers[':status'], body.toString()], [200, `body of ${id}`]);
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
};

/** gRPC calls, every fifth a stream of five messages that are sent one after the other came back. */
const grpc: Worker = async (context, system, tickets) => {
  const session = await connectHttp2(context, system);
  const lane = async (): Promise<void> => {
    for (let id = tickets.take(); id !== undefined; id = tickets.take()) {
      const messages = id % 5 === 0 ? 5 : 1;
      const stream = ask(session, grpcHead(`/test.Echo/Call${id}`), false);
      const answered = answer(stream);
      for (let i = 0; i < messages; i += 1) {
        stream.write(grpcMessage(`${id}:${i}`));
        if (messages > 1) await once(stream, 'data');
      }
      stream.end();
      const { headers, body, trailers } = await answered;
      assert.deepEqual([headers[':status'], trailers['grpc-status']], [200, '0']);
      assert.equal(body.length, messages * grpcMessage(`${id}:0`).length);
    }
  };
  await Promise.all(Array.from({ length: 4 }, lane));
};

/** Everything that may change while running, changed; half of the rounds noticed by themselves, half told by SIGHUP. */
async function change(system: System, round: number): Promise<void> {
  const { authority } = system;
  const own = authority.issue({ id: OWN_ID });
  const newcomer = createAuthority();
  await system.replace('lists.pem', authority.crl({ number: BigInt(round + 2), revoked: [BigInt(1_000 + round)] }).pem);
  await system.replace('trust.pem', authority.bundlePem + newcomer.bundlePem);
  await system.replace('own.key', own.keyPem);
  await system.replace('own.pem', own.chainPem);
  await system.setPolicy(policy(round));
  if (round % 2 === 0) system.sidecar.signal('SIGHUP');
}

test(
  '10,000 mixed requests with reloads of everything in between: none fails, one record each',
  { timeout: 180_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const authority = createAuthority();
    const system = await startSystem(context, {
      authority,
      upstream: `auto://127.0.0.1:${upstream.port}`,
      policy: policy(0),
      identity: { revocationLists: ['lists.pem'], requireRevocationLists: true },
      files: { 'lists.pem': authority.crl({ number: 1n }).pem },
    });
    const { sidecar } = system;
    const tickets = new Tickets();
    const denied: number[] = [];
    const workers = [http1, http1, http1, http2, grpc].map((work) => work(context, system, tickets, denied));
    const working = Promise.all(workers);
    let rounds = 0;
    for (let next = ROUND; next < REQUESTS; next += ROUND) {
      await Promise.race([sidecar.until('traffic', () => tickets.taken >= next), working]);
      rounds += 1;
      await change(system, rounds);
    }
    await working;
    const reloads = {
      policy: await sidecar.metric('sallyport_reloads_total{kind="policy",result="ok"}'),
      identity: await sidecar.metric('sallyport_reloads_total{kind="identity",result="ok"}'),
      failed: await sidecar.metric('sallyport_reloads_total{kind="identity",result="failed"}'),
    };
    context.diagnostic(
      `${rounds} rounds of changes; in force: ${JSON.stringify(reloads)}; RSS ${sidecar.peakRssMiB()} MiB`,
    );
    assert.ok((reloads.policy ?? 0) > 3 && (reloads.identity ?? 0) > 3, 'both were in force several times');
    assert.equal(await sidecar.stop(), 0);

    const records = sidecar.records();
    assert.equal(records.length, REQUESTS, 'one record each');
    assert.equal(new Set(records.map((record) => record.decision_id)).size, REQUESTS);
    const forwarded = records.filter(({ sallyport }) => sallyport.outcome.kind === 'forwarded');
    assert.equal(forwarded.length, REQUESTS - denied.length);
    assert.equal(upstream.received.length, forwarded.length, 'what was allowed reached the agent, once');
    const seen = new Set(records.map(({ bundles }) => bundles['policy']?.revision));
    assert.ok(seen.size > 3, `decided by ${[...seen].join(', ')}`);
    const verified = await sallyport(['log', 'verify', join(system.folder, 'records.ndjson')]);
    assert.equal(verified.code, 0, verified.out.join('\n'));
  },
);
