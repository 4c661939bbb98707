import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import { FACTS, NAMESPACE, SETTINGS, agentPod, annotated } from './pods.ts';

type Json = Readonly<Record<string, unknown>>;

const many = <T>(count: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, index) => make(index));

const inject = (pod: unknown) => injectPod({ pod, namespace: NAMESPACE }, SETTINGS, FACTS);

/** Kinds and places of what is wrong. */
function refusals(pod: unknown): readonly string[] {
  const injection = inject(pod);
  return injection.ok ? [] : injection.error.map(({ kind, path }) => `${kind} ${path}`);
}

const withPorts = (count: number, port: Json = {}) => {
  const containers = many(4, (which) => ({
    name: `c${which}`,
    ports: many(count / 4, (index) => ({ containerPort: which * 1_000 + index + 1, ...port })),
  }));
  return agentPod({ containers });
};

/** A pod whose annotations have this many characters together. */
const long = (length: number) => agentPod({}, { annotations: { note: 'x'.repeat(length - 'note'.length) } });

/*
 * One request of whoever may create a pod holds the injector for as long as its pod is looked at, and with it everybody else's pods: lists are bounded
 * before anything is compared with anything.
 */
describe('the work for one pod is bounded', () => {
  test('as many containers as no node runs are refused, before each is looked at', () => {
    const list = many(257, (index) => ({ name: `c${index}`, securityContext: { privileged: true } }));
    assert.deepEqual(refusals(agentPod({ containers: list })), ['pod_malformed spec.containers']);
    assert.deepEqual(refusals(agentPod({ initContainers: list })), ['pod_malformed spec.initContainers']);
    assert.equal(inject(agentPod({ initContainers: many(256, (index) => ({ name: `c${index}` })) })).ok, true);
  });

  test('as many volumes as no pod mounts are refused, before each is looked at', () => {
    const volumes = many(1_025, (index) => ({ name: `v${index}` }));
    assert.deepEqual(refusals(agentPod({ volumes })), ['pod_malformed spec.volumes']);
    assert.equal(inject(agentPod({ volumes: volumes.slice(1) })).ok, true);
  });

  test('the ports of all containers together are bounded, also those that are not guarded', () => {
    const udp = { protocol: 'UDP' };
    assert.equal(inject(withPorts(2_048, udp)).ok, true);
    assert.deepEqual(refusals(withPorts(2_052, udp)), ['pod_malformed spec.containers']);
    assert.deepEqual(refusals(withPorts(2_052)), ['pod_malformed spec.containers']);
  });

  test('annotations are no longer than the API server lets them be (256 KiB together)', () => {
    assert.equal(inject(long(262_144)).ok, true);
    assert.deepEqual(refusals(long(262_145)), ['pod_malformed metadata.annotations']);
    const labels = Object.fromEntries(many(30_000, (index) => [`label-${index}`, 'x']));
    assert.deepEqual(refusals(agentPod({}, { labels })), ['pod_malformed metadata.labels']);
  });

  test('of unknown annotations and labels the first are told', () => {
    const unknown = Object.fromEntries(many(5_000, (index) => [`sallyport.dev/none-${index}`, 'x']));
    assert.equal(refusals(annotated(unknown)).length, 32);
    assert.equal(refusals(agentPod({}, { labels: unknown })).length, 32);
  });
});
