import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { toDecision } from '../../../src/core/policy/decision.ts';
import { PROBES } from '../../../src/core/policy/probe-inputs.ts';
import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import { POLICIES, agentId, loadLibrary } from '../../support/policy-library.ts';
import type { Fleet } from '../../support/policy-library.ts';
import { connectionOf, requestOf } from '../../support/policy-input.ts';
import type { Call } from '../../support/policy-input.ts';

const STARTER = JSON.parse(readFileSync(join(POLICIES, 'starter', 'data.json'), 'utf8')) as { readonly fleet: Fleet };

const planner = agentId('agents', 'planner');
const operator = agentId('operations', 'console');
const agent = agentId('agents', 'researcher');

const starter = await loadLibrary(STARTER);

/** What the gate would make of an evaluation: the verdict, the fault of a denial and the reasons for the record. */
function judged(policy: { evaluate: (input: PolicyInput) => Parameters<typeof toDecision>[0] }, input: PolicyInput) {
  const decision = toDecision(policy.evaluate(input));
  if (decision.kind === 'deny') assert.equal(decision.answer, undefined, 'the caller is told nothing of the reasons');
  return {
    verdict: decision.kind === 'deny' ? decision.fault.code : decision.kind,
    reasons: decision.reasons,
  };
}

const call = (rest: Partial<Call>): PolicyInput => requestOf({ caller: planner, agent, ...rest });

const noFunction = (asked: string): string =>
  `segment researchers has no function for ${asked}; see data.fleet.segments.researchers.functions`;
const unknown = (id: string): string => `the caller ${id} is in no segment; see data.fleet.agents`;
const message = (body: unknown, caller = planner): PolicyInput => call({ caller, method: 'POST', path: ['mcp'], body });

describe('the starter data, in our host', () => {
  const ALLOWED: readonly (readonly [string, PolicyInput, string])[] = [
    [
      'HTTP: an exact path',
      call({ method: 'POST', path: ['v1', 'tasks'] }),
      'segment planners may ask segment researchers for create-task',
    ],
    [
      'HTTP: a pattern',
      call({ path: ['v1', 'tasks', '17'] }),
      'segment planners may ask segment researchers for read-task',
    ],
    [
      'gRPC: service and method',
      call({ method: 'POST', path: ['research.v1.Research', 'Ask'] }),
      'segment planners may ask segment researchers for ask',
    ],
    [
      'a namespace, and everything below a path',
      call({ caller: operator, path: ['reports', '2026', 'may'] }),
      'segment operators may ask segment researchers for read-reports',
    ],
  ];
  for (const [what, input, reason] of ALLOWED) {
    test(`allowed: ${what}`, () => {
      assert.deepEqual(judged(starter, input), { verdict: 'allow', reasons: [reason] });
    });
  }

  const DENIED: readonly (readonly [string, PolicyInput, string])[] = [
    [
      'a function that is not given',
      call({ method: 'POST', path: ['v1', 'tasks', '17', 'cancel'] }),
      'segment planners may not ask segment researchers for cancel-task; see data.fleet.segments.researchers.callers.planners',
    ],
    ['a method in another case', call({ method: 'get', path: ['v1', 'tasks', '17'] }), noFunction('get /v1/tasks/17')],
    ['a slash at the end', call({ method: 'POST', path: ['v1', 'tasks', ''] }), noFunction('POST /v1/tasks/')],
    ['an empty segment', call({ path: ['v1', '', 'tasks', '17'] }), noFunction('GET /v1//tasks/17')],
    [
      'an encoded slash that was tolerated and became a segment',
      call({ path: ['v1', 'tasks', '17', 'x'] }),
      noFunction('GET /v1/tasks/17/x'),
    ],
    [
      'an encoded slash that stayed one',
      call({ path: ['v1', 'tasks', '17%2Fcancel'] }),
      noFunction('GET /v1/tasks/17%2Fcancel'),
    ],
    ['a slash within a segment', call({ path: ['v1', 'tasks/*'] }), noFunction('GET /v1/tasks/*')],
    [
      'a relative segment below /**',
      call({ caller: operator, path: ['reports', '..', 'v1'] }),
      noFunction('GET /reports/../v1'),
    ],
    ['a path that is written as a pattern', call({ path: ['v1', '*', '17'] }), noFunction('GET /v1/*/17')],
    [
      'a message of MCP, which only sallyport/mcp/decision reads',
      call({ method: 'POST', path: ['mcp'] }),
      noFunction('POST /mcp'),
    ],
    [
      'a connection (TCP) where the segment names none',
      connectionOf({ caller: operator, agent }),
      noFunction('connections'),
    ],
    [
      'the same path of another trust domain',
      call({ caller: agentId('agents', 'planner', 'example.com'), path: ['v1', 'tasks', '17'] }),
      unknown('spiffe://example.com/ns/agents/sa/planner'),
    ],
    [
      'a namespace that begins with the name of another',
      call({ caller: agentId('operations2', 'console'), path: ['reports', 'x'] }),
      unknown('spiffe://example.org/ns/operations2/sa/console'),
    ],
    [
      'an ID that is written as a pattern',
      call({ caller: 'spiffe://example.org/ns/operations/**', path: ['reports', 'x'] }),
      unknown('spiffe://example.org/ns/operations/**'),
    ],
    [
      'a caller without an identity',
      call({ caller: undefined, path: ['v1', 'tasks', '17'] }),
      'the caller has no SPIFFE ID',
    ],
    [
      'an agent without an identity',
      call({ agent: undefined, path: ['v1', 'tasks', '17'] }),
      'the called agent has no SPIFFE ID',
    ],
    [
      'an agent that the fleet does not name',
      call({ agent: agentId('agents', 'writer'), path: ['v1', 'tasks', '17'] }),
      'the called agent spiffe://example.org/ns/agents/sa/writer is in no segment; see data.fleet.agents',
    ],
    [
      'outbound, with the sides the other way round',
      call({ direction: 'outbound', path: ['v1', 'tasks', '17'] }),
      'segment planners has no function for GET /v1/tasks/17; see data.fleet.segments.planners.functions',
    ],
  ];
  for (const [what, input, reason] of DENIED) {
    test(`denied: ${what}`, () => {
      assert.deepEqual(judged(starter, input), { verdict: 'policy_denied', reasons: [reason] });
    });
  }

  test('allowed outbound: the agent is the caller, the peer is called', () => {
    const input = requestOf({ caller: agent, agent: planner, direction: 'outbound', path: ['v1', 'tasks', '17'] });
    assert.equal(judged(starter, input).verdict, 'allow');
  });
});

describe('without data, or with data of another shape', () => {
  const input = call({ path: ['v1', 'tasks', '17'] });
  const NOT_DESCRIBED = 'data.fleet is not described: it needs the objects agents and segments';

  for (const data of [
    {},
    { fleet: null },
    { fleet: [] },
    { fleet: { agents: [], segments: {} } },
    { starter: STARTER },
  ]) {
    test(`everything is denied with the reason: ${JSON.stringify(data).slice(0, 50)}`, async () => {
      const policy = await loadLibrary(data);
      for (const each of [input, ...PROBES.map((probe) => probe.input)]) {
        assert.deepEqual(judged(policy, each), { verdict: 'policy_denied', reasons: [NOT_DESCRIBED] });
      }
    });
  }

  const researchers = STARTER.fleet.segments['researchers'] as Readonly<Record<string, unknown>>;
  const withSegment = (segment: unknown): unknown => ({
    fleet: { ...STARTER.fleet, segments: { researchers: segment } },
  });
  const WRONG: readonly unknown[] = [null, true, 'read-task', 7, [], ['read-task'], { GET: true }];
  for (const value of WRONG) {
    test(`${JSON.stringify(value)} in the place of a part of a segment allows nothing, and is no fault`, async () => {
      const shapes = [
        withSegment(value),
        withSegment({ ...researchers, functions: value }),
        withSegment({ ...researchers, callers: value }),
        withSegment({ ...researchers, callers: { planners: value } }),
        withSegment({ ...researchers, callers: { planners: { 'read-task': value === true ? 'true' : value } } }),
        { fleet: { ...STARTER.fleet, agents: { [planner]: value, [agent]: value } } },
      ];
      for (const data of shapes) {
        const { verdict, reasons } = judged(await loadLibrary(data), input);
        assert.equal(verdict, 'policy_denied', JSON.stringify(data));
        assert.match(String(reasons), /; see data\.fleet\./);
      }
    });
  }
});

describe('sallyport/mcp/decision', async () => {
  const mcp = await loadLibrary(STARTER, {}, { entrypoint: 'sallyport/mcp/decision' });

  test('it reads the body, and the default decision does not', () => {
    assert.equal(mcp.needs.parsedBody, true);
    assert.equal(starter.needs.parsedBody, false);
  });

  const MESSAGES: readonly (readonly [unknown, string, string])[] = [
    [
      { method: 'tools/call', params: { name: 'search' } },
      'allow',
      'segment planners may ask segment researchers for search',
    ],
    [{ method: 'tools/list' }, 'allow', 'segment planners may ask segment researchers for hold-session'],
    [
      { method: 'tools/call', params: { name: 'forget' } },
      'policy_denied',
      'segment planners may not ask segment researchers for forget; see data.fleet.segments.researchers.callers.planners',
    ],
    [
      { method: 'tools/call', params: { name: '*' } },
      'policy_denied',
      'segment researchers has no function for tools/call *; see data.fleet.segments.researchers.functions',
    ],
    [
      { method: 'tools/call', params: { name: { search: 1 } } },
      'policy_denied',
      'segment researchers has no function for tools/call {"search": 1}; see data.fleet.segments.researchers.functions',
    ],
    [{ method: ['tools/list'] }, 'policy_denied', 'the body is no JSON-RPC message with a method'],
    [[{ method: 'tools/list' }], 'policy_denied', 'the body is no JSON-RPC message with a method'],
    [null, 'policy_denied', 'the body is no JSON-RPC message with a method'],
  ];
  for (const [body, verdict, reason] of MESSAGES) {
    test(`${verdict}: ${JSON.stringify(body)}`, () => {
      assert.deepEqual(judged(mcp, message(body)), { verdict, reasons: [reason] });
    });
  }

  test('a function taken from a star stays taken: nobody makes a researcher forget', () => {
    assert.equal(judged(mcp, message({ method: 'tools/call', params: { name: 'search' } }, operator)).verdict, 'allow');
    const forget = message({ method: 'tools/call', params: { name: 'forget' } }, operator);
    assert.equal(judged(mcp, forget).verdict, 'policy_denied');
  });

  test('a call that is no message is decided as ever', () => {
    const input = call({ path: ['v1', 'tasks', '17'] });
    assert.deepEqual(judged(mcp, input), judged(starter, input));
  });
});
