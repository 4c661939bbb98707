import type { PolicyInput } from '../../src/core/model/policy-input.ts';
import { requestOf } from '../support/policy-input.ts';
import { DECISION, agentId, libraryFiles } from '../support/policy-library.ts';

/** A policy with its data and inputs that are asked about in turn. */
export type Subject = {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly entrypoint: string;
  readonly data: object;
  readonly inputs: readonly PolicyInput[];
};

const AGENTS = 1_000;
const INPUTS = 8;

/** The starter library with a fleet of 1,000 agents in `segments` segments; `headers` more header fields of 75 bytes. */
export function starter(name: string, segments: number, headers: number): Subject {
  const names = Array.from({ length: segments }, (_, i) => `segment-${i}`);
  const segment = {
    functions: { '/v1': { '/tasks': { POST: 'create', '/*': { GET: 'read', '/cancel': { POST: 'cancel' } } } } },
    callers: Object.fromEntries(names.map((caller) => [caller, { create: true, read: true }])),
  };
  const agents = Array.from({ length: AGENTS }, (_, i) => [id(i), names[i % segments]]);
  const fleet = {
    agents: Object.fromEntries(agents),
    segments: Object.fromEntries(names.map((one) => [one, segment])),
  };
  const inputs = Array.from({ length: INPUTS }, (_, i) =>
    withHeaders(requestOf({ caller: id(i), agent: id(i + 1), path: ['v1', 'tasks', `${i}`] }), headers),
  );
  return { name, files: libraryFiles(), entrypoint: DECISION, data: { fleet }, inputs };
}

function id(i: number): string {
  return agentId('agents', `agent-${i}`);
}

function withHeaders(input: PolicyInput, count: number): PolicyInput {
  const { request, ...attributes } = input.attributes;
  if (request === undefined) return input;
  const more = Array.from({ length: count }, (_, i) => [
    `x-header-${i}`,
    `a value of ordinary length, as cookies and tokens are ${i}`,
  ]);
  const headers = { ...request.http.headers, ...Object.fromEntries(more) };
  return { ...input, attributes: { ...attributes, request: { ...request, http: { ...request.http, headers } } } };
}

/** As many rules as are asked for, in the form that people write them in; the inputs match the first, the last and none. */
export function manyRules(count: number): Subject {
  const source = ['package bench', ...Array.from({ length: count }, (_, i) => rule(i))].join('\n\n');
  const inputs = [0, count - 1, count].map((i) => ({ method: 'GET', path: `/service/${i}`, user: 'ann' }));
  return {
    name: `${count} rules`,
    files: { 'bench.rego': source },
    entrypoint: 'bench/allow',
    data: { owner: 'ann' },
    // Not what the gate asks; the policy reads three fields of it.
    inputs: inputs as unknown as readonly PolicyInput[],
  };
}

function rule(i: number): string {
  return `allow if {\n\tinput.method == "GET"\n\tinput.path == "/service/${i}"\n\tinput.user == data.owner\n}`;
}
