/**
 * `node --jitless … instructions-loop N`: N requests through the gate and the recorder. The policy's answer is made up, as there is no WebAssembly without a
 * compiler; nothing here may need one (TypeScript neither: `instructions.ts` strips the types before).
 */
import { FakeExchange, fakeConnection, fakePeer, http1Head } from '../../support/fake-exchange.ts';
import { FakeGateWorld, FakeJournal } from '../../support/fake-gate-world.ts';

const FIELDS = ['Accept', 'application/json', 'User-Agent', 'bench', 'X-Team', 'blue'];
const head = http1Head('GET', '/api/v1/catalog/items?page=2', FIELDS);
const over = { connection: fakeConnection(), peer: fakePeer() };
const { gate, journal, forwarder, observed, facts } = new FakeGateWorld({}, new FakeJournal(Number.POSITIVE_INFINITY));

const times = Number(process.argv[2]);
for (let turn = 0; turn < times; turn += 1) {
  gate.exchange(new FakeExchange(head, over));
  for (const list of [journal.lines, forwarder.permits, observed, facts]) list.length = 0;
}
process.exit(0);
