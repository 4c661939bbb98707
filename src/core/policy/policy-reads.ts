import type { InputNeeds } from '../model/policy.ts';
import { readPlan } from './plan.ts';
import { planReads } from './plan-reads.ts';
import { createCacheKey, createProjection } from './projection.ts';
import { describeReads, mayRead } from './read-set.ts';

/** What a policy reads of its input, ready for use. */
export type PolicyReads = {
  readonly needs: InputNeeds;
  /** JSON text of what is read. */
  readonly encode: (input: unknown) => string;
  /** What tells inputs apart that may be answered differently, where `repeatable`: quicker to have than the text. */
  readonly key: (input: unknown) => string;
  /** False where the same input may be answered differently at another time: no decision may be remembered. */
  readonly repeatable: boolean;
  /** For people; empty where nothing is known and so everything is given. */
  readonly description: readonly string[];
};

/** Built-ins whose answer is not a function of their arguments (OPA capabilities, `nondeterministic`), and those that reach one of ours that is not. */
const NONDETERMINISTIC: ReadonlySet<string> = new Set([
  'http.send',
  'io.jwt.decode_verify',
  'io.jwt.encode_sign',
  'io.jwt.encode_sign_raw',
  'json.match_schema',
  'json.verify_schema',
  'net.lookup_ip_addr',
  'opa.runtime',
  'rand.intn',
  'time.now_ns',
  'uuid.rfc4122',
]);

const EVERYTHING: PolicyReads = Object.freeze({
  needs: Object.freeze({ parsedBody: true, rawBody: true, parsedQuery: true, peerCertificate: true }),
  encode: (input: unknown) => JSON.stringify(input),
  key: (input: unknown) => JSON.stringify(input),
  repeatable: false,
  description: [],
});

/** Reads of `entrypoint` by its plan; everything where there is no plan, or one that this version does not understand. */
export function policyReads(rawPlan: unknown, entrypoint: string): PolicyReads {
  const plan = rawPlan === undefined ? undefined : readPlan(rawPlan);
  const reads = plan === undefined ? undefined : planReads(plan, entrypoint);
  if (reads === undefined) return EVERYTHING;
  const { input, builtins } = reads;
  const http = ['attributes', 'request', 'http'];
  return {
    needs: {
      parsedBody: mayRead(input, ['parsed_body']) || mayRead(input, ['truncated_body']),
      rawBody: mayRead(input, [...http, 'body']) || mayRead(input, [...http, 'rawBody']),
      parsedQuery: mayRead(input, ['parsed_query']),
      peerCertificate: mayRead(input, ['attributes', 'source', 'certificate']),
    },
    encode: input.whole ? EVERYTHING.encode : createProjection(input),
    key: input.whole ? EVERYTHING.key : createCacheKey(input),
    repeatable: ![...builtins].some((name) => NONDETERMINISTIC.has(name)),
    description: describeReads(input),
  };
}
