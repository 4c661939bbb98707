import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { CHART, NO_HELM, VALUE_SETS, helm, helmFault, valueArgs } from '../../support/chart.ts';

const skip = NO_HELM;

describe('what no single value shows is refused before anything is installed', { skip }, () => {
  const CASES: readonly (readonly [values: Readonly<Record<string, unknown>>, said: RegExp])[] = [
    [{ 'authority.enabled': false }, /say where sidecars get their identity from/],
    [
      { 'trust.roots': '-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n' },
      /trust\.roots is for an authority elsewhere/,
    ],
    [{ 'policies.source': 'bundle' }, /say policies\.bundle\.url/],
    [{ 'certificates.source': 'secret' }, /say certificates\.secret\.name and certificates\.secret\.caBundle/],
    [{ 'authority.keys.issuingKey': 'key.pem' }, /say authority\.keys\.existingSecret/],
    [{ 'sidecar.capture': 'plain', 'sidecar.outbound.capture': 'all' }, /needs sidecar\.capture: redirect/],
    // Calls arrive at the agent's own port there, and the NetworkPolicy would let in nobody at all.
    [{ 'networkPolicy.namespaces': ['agents'] }, /networkPolicy\.namespaces is for sidecar\.capture: plain/],
  ];
  for (const [values, said] of CASES)
    test(JSON.stringify(values), () =>
      assert.match(helmFault(['template', 'x', CHART, ...valueArgs(undefined, values)]) ?? 'taken', said),
    );
});

async function notes(file: string | undefined, values: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const args = ['install', 'sallyport', CHART, '--dry-run=client', '--namespace', 'sallyport-system'];
  const out = await helm([...args, ...valueArgs(file, values)]);
  return out.slice(out.indexOf('NOTES:'));
}

function fileOf(name: string): string | undefined {
  return VALUE_SETS.find((set) => set.name === name)?.file;
}

describe('the notes', { skip }, () => {
  test('say the next steps', async () => {
    const text = await notes(undefined);
    assert.match(text, /kubectl label namespace agents sallyport\.dev\/inject=enabled/);
    assert.match(text, /create configmap sallyport-policy --from-file=policy\.rego/);
    assert.match(text, /helm test sallyport -n sallyport-system/);
    assert.match(text, /The claim with the keys of the authority stays: state-sallyport-authority-0/);
  });

  const WARNINGS: readonly (readonly [set: string, warning: RegExp, absentWith: string])[] = [
    ['nothing-kept', /EVERY RESTART OF THE AUTHORITY MAKES ANOTHER ROOT/, 'defaults'],
    ['defaults', /trustDomain is cluster\.local/, 'workload-api'],
    ['pods-may-say-much', /mode is shadow/, 'defaults'],
    ['pods-may-say-much', /allowPrivileged is true/, 'defaults'],
    ['pods-may-say-much', /overrides has opt-out/, 'defaults'],
    ['defaults', /an init container with NET_ADMIN/, 'plain-capture'],
    ['plain-capture', /only a network that enforces NetworkPolicy/, 'defaults'],
    ['small', /injector\.replicas is 1/, 'defaults'],
    ['small', /admissionPolicy\.enabled is false/, 'defaults'],
  ];
  for (const [set, warning, absentWith] of WARNINGS)
    test(`warn with ${set}: ${warning.source}`, async () => {
      assert.match(await notes(fileOf(set)), warning);
      assert.doesNotMatch(await notes(fileOf(absentWith)), warning);
    });

  test('warn where plain capture has nothing that closes the ports', async () =>
    assert.match(await notes(undefined, { 'sidecar.capture': 'plain' }), /NOTHING CLOSES THE AGENTS' OWN PORTS/));
});
