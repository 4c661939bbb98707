import assert from 'node:assert/strict';
import { test } from 'node:test';

import { outsideModule } from './build-kubernetes.ts';

test('a module outside of Kubernetes requires what its own go.mod requires, its staged modules as released', () => {
  const made = outsideModule(
    [
      'module k8s.io/kubernetes',
      'go 1.26.0',
      'require (',
      '\tgithub.com/google/uuid v1.6.0',
      '\tk8s.io/api v0.0.0',
      '\tk8s.io/client-go v0.0.0',
      '\tk8s.io/utils v0.0.0-20260101000000-abcdef012345',
      ')',
      'replace k8s.io/api => ./staging/src/k8s.io/api',
      '',
    ].join('\n'),
  );
  assert.match(made, /^module kubebuild$/m);
  assert.match(made, /^require k8s\.io\/kubernetes v1\.37\.1$/m);
  assert.match(made, /k8s\.io\/api => k8s\.io\/api v0\.37\.1$/m);
  assert.match(made, /^replace \(\n\tk8s\.io\/client-go => k8s\.io\/client-go v0\.37\.1\n\)$/m);
  assert.match(made, /github\.com\/google\/uuid v1\.6\.0/);
  assert.doesNotMatch(made, /utils =>/);
});
