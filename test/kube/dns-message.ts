/** A question of a DNS message (RFC 1035 4.1.2). */
export type DnsQuestion = { readonly name: string; readonly type: number; readonly end: number };

/** Addresses for a name; undefined where there is no such name. */
export type DnsAnswer = readonly string[] | undefined;

const HEADER = 12;
const A = 1;
const TTL_S = 1;
const NAME_ERROR = 3;

/** The one question of a query; undefined where the message is something else. */
export function readQuestion(query: Buffer): DnsQuestion | undefined {
  if (query.length < HEADER || query.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63 || at + 1 + length > query.length) return undefined;
    if (length === 0) break;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  if (at + 5 > query.length) return undefined;
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** The answer to a query (RFC 1035 4.1.1): addresses for a question of type A, none for others of a name that is there. */
export function writeAnswer(query: Buffer, question: DnsQuestion, answer: DnsAnswer): Buffer {
  const addresses = question.type === A ? (answer ?? []) : [];
  const head = Buffer.from(query.subarray(0, question.end));
  const recursionDesired = (head[2] ?? 0) & 1;
  // A response, authoritative, recursion as desired and available.
  head[2] = 0x84 | recursionDesired;
  head[3] = 0x80 | (answer === undefined ? NAME_ERROR : 0);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([head, ...addresses.map(addressRecord)]);
}

function addressRecord(address: string): Buffer {
  const record = Buffer.alloc(16);
  // The name: a pointer to that of the question.
  record.writeUInt16BE(0xc000 | HEADER, 0);
  record.writeUInt16BE(A, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(TTL_S, 6);
  record.writeUInt16BE(4, 10);
  record.set(address.split('.').map(Number), 12);
  return record;
}
