import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { createMountedCertificate } from '../../../src/io/kube/mounted-certificate.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { fileReader } from '../../support/kube-client.ts';
import { createAuthority } from '../../support/pki.ts';
import { until } from '../../support/until.ts';

function world(context: TestContext) {
  const authority = createAuthority();
  const issued = authority.issue({ dnsNames: ['injector.system.svc'] });
  const files = new Map([
    ['crt', issued.chainPem],
    ['key', issued.keyPem],
  ]);
  const clock = createDrivenClock();
  const said: string[] = [];
  const say = (fields: object, message: string): void => void said.push(`${message} ${JSON.stringify(fields)}`);
  const serving = createMountedCertificate(
    { certificate: 'crt', privateKey: 'key', pollMs: 1_000 },
    { readFile: fileReader(files), timer: clock.timer, log: { info: say, warn: say } },
  );
  context.after(() => serving.stop());
  const look = async (): Promise<void> => {
    await until('a look to be over', () => clock.timers === 1);
    clock.advance(1_000);
    await until('the next look to be over', () => clock.timers === 1);
  };
  return { authority, issued, files, clock, said, serving, look };
}

test('mounted files are served, and followed when they change; caBundle is none of our business', async (context) => {
  const { authority, issued, files, serving, look } = world(context);
  serving.start();
  const served = await until('a certificate', () => serving.current());
  assert.deepEqual([served.certificate, served.privateKey], [issued.chainPem, issued.keyPem]);
  assert.equal(served.notAfterMs, Math.floor(issued.notAfter.getTime() / 1_000) * 1_000);
  assert.equal(serving.trusted, undefined);
  const told: string[] = [];
  serving.onChange(({ certificate }) => void told.push(certificate));
  await look();
  assert.deepEqual(told, []);
  const next = authority.issue({ dnsNames: ['injector.system.svc'] });
  files.set('crt', next.chainPem);
  await look();
  assert.match(serving.problem ?? '', /crt: the key is not that of the certificate/);
  assert.equal(serving.current(), served);
  files.set('key', next.keyPem);
  await look();
  assert.deepEqual(told, [next.chainPem]);
  assert.equal(serving.problem, undefined);
});

test('files that are no good leave the last ones, are said once, and nothing of a key is', async (context) => {
  const { files, said, serving, look, issued } = world(context);
  serving.start();
  const served = await until('a certificate', () => serving.current());
  for (const [name, content] of [
    ['crt', 'nonsense'],
    ['key', issued.keyPem.slice(0, 80)],
    ['key', undefined],
  ] as const) {
    const before = files.get(name) ?? '';
    if (content === undefined) files.delete(name);
    else files.set(name, content);
    const { length } = said;
    await look();
    await look();
    assert.equal(said.length, length + 1);
    assert.equal(serving.current(), served);
    files.set(name, before);
    await look();
    assert.equal(serving.problem, undefined);
  }
  assert.ok(!said.join().includes(issued.keyPem.slice(30, 60)));
});
