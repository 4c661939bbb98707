import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { OVERRIDES } from '../../../src/core/model/injection.ts';
import { readAnnotations } from '../../../src/core/injection/annotations.ts';
import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import { readPod } from '../../../src/core/injection/pod.ts';
import { FACTS, NAMESPACE, SETTINGS, agentPod, annotated } from './pods.ts';

import type { Asked } from '../../../src/core/injection/asked.ts';
import type { InjectionSettings } from '../../../src/core/model/injection.ts';

const OPEN: InjectionSettings = { ...SETTINGS, overrides: OVERRIDES };

function read(annotations: Readonly<Record<string, string>>, settings = OPEN) {
  const pod = readPod(annotated(annotations));
  assert.ok(pod.ok);
  return readAnnotations(pod.value, settings);
}

function asked(annotations: Readonly<Record<string, string>>): Asked {
  const { asked: value, refusals } = read(annotations);
  assert.deepEqual(refusals, []);
  return value;
}

function refused(annotations: Readonly<Record<string, string>>, settings = OPEN): readonly string[] {
  return read(annotations, settings).refusals.map(({ kind, path, message }) => `${kind} ${path}: ${message}`);
}

describe('annotations of pods', () => {
  test('ports: by number or name, each with its protocol where it has one', () => {
    assert.deepEqual(asked({ ports: '8080, web/http,5432/tcp ,9090/grpc' }).ports, [
      { port: 8080 },
      { port: 'web', protocol: 'http' },
      { port: 5432, protocol: 'tcp' },
      { port: 9090, protocol: 'grpc' },
    ]);
  });

  test('protocol: of ports that say nothing themselves', () =>
    assert.equal(asked({ protocol: 'grpc' }).protocol, 'grpc'));

  test('destinations: ID alone or with address and protocol, over those of the platform', () => {
    const id = 'spiffe://example.org/ns/a/sa/b';
    const { destinations } = asked({
      destinations: `{"B.internal:8080": "${id}", "*.c.internal": {"address": "[fd00::1]:8443", "id": ["${id}"], "protocol": "http2"}}`,
    }).settings.outbound;
    assert.deepEqual(destinations, {
      'b.internal:8080': { address: 'b.internal:8080', id },
      '*.c.internal': { address: '[fd00::1]:8443', id: [id], protocol: 'http2' },
    });
  });

  test('resources: over those of the platform, each alone', () => {
    const { resources } = asked({ 'cpu-request': '100m', 'cpu-limit': '1.5', 'memory-limit': '1Gi' }).settings;
    assert.deepEqual(resources, { requests: { cpu: '100m', memory: '96Mi' }, limits: { cpu: '1.5', memory: '1Gi' } });
  });

  test('log-level, drain-delay, mode', () => {
    const { settings } = asked({ 'log-level': 'debug', 'drain-delay': '0s', mode: 'shadow' });
    assert.deepEqual([settings.logLevel, settings.drainDelay, settings.mode], ['debug', 0, 'shadow']);
  });

  test("policy: a bundle instead of the namespace's, with the usual entrypoint or its own", () => {
    const url = 'oci://registry.example.org/policies:1';
    assert.deepEqual(asked({ policy: url }).settings.policy, {
      source: 'bundle',
      url,
      decision: 'sallyport/authz/decision',
    });
    const own = asked({ 'policy-decision': 'envoy/authz/allow', policy: url });
    assert.deepEqual(own.settings.policy, { source: 'bundle', url, decision: 'envoy/authz/allow' });
  });

  test('outbound and what is excluded from it, besides what the platform excludes', () => {
    const { settings, open } = asked({
      outbound: 'all',
      'exclude-ports': '9100,metrics',
      'exclude-outbound-ports': '1,2',
      'exclude-outbound-cidrs': '10.0.0.0/8',
    });
    assert.deepEqual(open, [9100, 'metrics']);
    assert.deepEqual(settings.outbound, {
      capture: 'all',
      destinations: {},
      excludePorts: [1, 2],
      excludeCidrs: ['10.0.0.0/8'],
    });
  });
});

describe('malformed annotations refuse the pod', () => {
  const malformed: Readonly<Record<string, readonly string[]>> = {
    ports: [
      '',
      ',',
      '0',
      '65536',
      '080',
      '8080,8080',
      '8080/ftp',
      '8080/http/tcp',
      'Web',
      '-1',
      '8080;9090',
      'a-name-that-is-too-long',
      '8080/',
    ],
    protocol: ['', 'HTTP', 'udp'],
    destinations: [
      '',
      '[]',
      '{}',
      'x',
      'a: b',
      '{',
      'a.b:80: {}',
      'a.b: spiffe://e.org/x',
      '"a b:80": spiffe://e.org/x',
      'a.b:80: {id: spiffe://e.org/x, port: 1}',
      'a.b:80: {id: []}',
      'a.b:80: {id: spiffe://e.org/x, protocol: h3}',
      'a.b:99999: spiffe://e.org/x',
      '"*.b:80": spiffe://e.org/x',
      'a.b:80: {id: spiffe://e.org/x, address: x}',
      'a.b:80: {id: "spiffe://e.org/../x"}',
      '{A.b:80: spiffe://e.org/x, a.b:80: spiffe://e.org/x}',
    ],
    'cpu-request': ['', '1 ', '-1', '1.5m', '1e3', '100Mi'],
    'cpu-limit': ['lots'],
    'memory-request': ['', '1m', '128MB', '-1Gi'],
    'memory-limit': ['128 Mi'],
    'log-level': ['', 'INFO', 'trace'],
    'drain-delay': ['', '5', '-1s', '61m', '1.5s'],
    mode: ['', 'off', 'Enforce'],
    policy: [
      '',
      '/etc/passwd',
      'file:///etc/passwd',
      'https://user:secret@example.org/b',
      'https://',
      'ftp://a/b',
      'https://a/b#c',
      'https://a b/c',
    ],
    outbound: ['', 'ALL', 'some'],
    'exclude-ports': ['', '0', '80/tcp'],
    'exclude-outbound-ports': ['', 'web', '65536', '1,1'],
    'exclude-outbound-cidrs': ['', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/8 accept'],
  };
  for (const [name, texts] of Object.entries(malformed)) {
    for (const text of texts) {
      test(`${name}: ${JSON.stringify(text)}`, () => {
        const [found = '', ...more] = refused({ [name]: text });
        assert.ok(
          found.startsWith(`annotation_malformed metadata.annotations[sallyport.dev/${name}]: expected `),
          found,
        );
        assert.deepEqual(more, []);
      });
    }
  }

  test("an entrypoint without a policy of the pod's own", () => {
    assert.match(
      refused({ 'policy-decision': 'a/b' })[0] ?? '',
      /^annotation_malformed .*beside sallyport.dev\/policy only/,
    );
    assert.match(refused({ policy: 'https://a/b', 'policy-decision': 'a b' })[0] ?? '', /expected an entrypoint/);
  });

  test('calls cannot be captured where nothing is redirected', () => {
    const plain: InjectionSettings = { ...OPEN, capture: 'plain' };
    for (const annotation of [
      { outbound: 'all' },
      { 'exclude-outbound-ports': '80' },
      { 'exclude-outbound-cidrs': '10.0.0.0/8' },
    ]) {
      assert.match(refused(annotation, plain)[0] ?? '', /^annotation_malformed .*capture: plain/);
    }
    assert.deepEqual(refused({ outbound: 'none' }, plain), []);
  });

  test("a name that no container's port has", () => {
    const injection = injectPod({ pod: annotated({ ports: 'grpc' }), namespace: NAMESPACE }, OPEN, FACTS);
    assert.deepEqual(injection.ok ? [] : injection.error.map(({ message }) => message), [
      'no container declares a TCP port named grpc',
    ]);
  });

  test('a port by number and by name', () => {
    const injection = injectPod({ pod: annotated({ ports: '8080,http' }), namespace: NAMESPACE }, OPEN, FACTS);
    assert.deepEqual(injection.ok ? [] : injection.error.map(({ message }) => message), [
      'port 8080 stands twice, by number and by name',
    ]);
  });

  test('no text throws, and what is refused is said in one line', () => {
    const names = fc.constantFrom(...Object.keys(malformed), 'policy-decision');
    fc.assert(
      fc.property(names, fc.string({ unit: 'binary' }), (name, text) => {
        for (const line of refused({ [name]: text })) assert.ok(line.length > 0);
      }),
    );
  });
});

describe("annotations that are not the pod's to set", () => {
  const values = {
    ports: '1',
    protocol: 'tcp',
    destinations: 'x',
    'cpu-limit': '1',
    'log-level': 'x',
    'drain-delay': '1s',
    mode: 'shadow',
    policy: 'https://a/b',
    'policy-decision': 'a',
    outbound: 'none',
    'exclude-ports': '1',
    'exclude-outbound-ports': '1',
    'exclude-outbound-cidrs': '::/0',
  };
  for (const [name, text] of Object.entries(values)) {
    test(`${name} is refused without its override, whatever it says`, () => {
      const [found = '', ...more] = refused({ [name]: text }, { ...SETTINGS, overrides: ['opt-out'] });
      assert.ok(found.startsWith(`annotation_forbidden metadata.annotations[sallyport.dev/${name}]: `), found);
      assert.deepEqual(more, []);
    });
  }

  test('unknown ones are refused with what was probably meant', () => {
    assert.deepEqual(refused({ 'drain-dellay': '5s' }), [
      'annotation_unknown metadata.annotations[sallyport.dev/drain-dellay]: no such annotation; did you mean sallyport.dev/drain-delay?',
    ]);
    assert.match(refused({ zzzzzzzz: '' })[0] ?? '', /no such annotation; known are ports, protocol/);
    assert.match(refused({ inject: 'disabled' })[0] ?? '', /this is a label, not an annotation/);
  });

  test("those of others are nobody's business", () => {
    const pod = readPod(
      agentPod(
        {},
        { annotations: { 'example.org/ports': 'x', 'sallyport.dev.example.org/x': 'y' }, labels: { app: 'x' } },
      ),
    );
    assert.ok(pod.ok && readAnnotations(pod.value, SETTINGS).refusals.length === 0);
  });
});

const labelled = (value: string, overrides: InjectionSettings['overrides']) =>
  injectPod(
    { pod: agentPod({}, { labels: { 'sallyport.dev/inject': value } }), namespace: NAMESPACE },
    { ...SETTINGS, overrides },
    FACTS,
  );

describe('the label sallyport.dev/inject', () => {
  test('disabled: no sidecar, where the platform lets pods say so', () => {
    const injection = labelled('disabled', ['opt-out']);
    assert.deepEqual(injection, {
      ok: true,
      value: { kind: 'skipped', reason: "the pod's label sallyport.dev/inject is disabled" },
    });
  });

  test('disabled: refused, where it does not', () => {
    const injection = labelled('disabled', []);
    assert.deepEqual(injection.ok ? '' : injection.error[0]?.kind, 'annotation_forbidden');
  });

  test('enabled changes nothing, and anything else is refused', () => {
    assert.equal(labelled('enabled', []).ok, true);
    for (const value of ['', 'true', 'Disabled', 'false']) {
      const injection = labelled(value, ['opt-out']);
      assert.deepEqual(injection.ok ? '' : injection.error[0]?.kind, 'annotation_malformed');
    }
  });
});
