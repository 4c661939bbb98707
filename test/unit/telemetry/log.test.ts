import { test } from 'node:test';
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { Writable } from 'node:stream';
import { createLog, NULL_LOG } from '../../../src/io/telemetry/log.ts';
import { withoutSecrets } from '../../../src/io/telemetry/secrets.ts';

type Sink = { readonly stream: Writable; readonly lines: string[]; readonly release: () => void };

/** A stream that keeps what is written; with `stuck`, it takes nothing until released. */
function sink(stuck = false): Sink {
  const lines: string[] = [];
  let release: (() => void) | undefined;
  let held = stuck;
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, callback) => {
      lines.push(chunk);
      if (held) release = callback;
      else callback();
    },
  });
  return {
    stream,
    lines,
    release: () => {
      held = false;
      release?.();
    },
  };
}

test('one JSON object a line, with time, level, fields and message', () => {
  const { stream, lines } = sink();
  createLog('info', stream).warn({ sink: 'stdout', count: 2 }, 'it fails');
  assert.equal(lines.length, 1);
  assert.equal(lines[0]?.at(-1), '\n');
  const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  assert.deepEqual(rest, { level: 40, sink: 'stdout', count: 2, msg: 'it fails' });
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
});

const written = { debug: 4, info: 3, warn: 2, error: 1, silent: 0 } as const;

for (const [level, count] of Object.entries(written)) {
  test(`level ${level} writes ${count} of four`, () => {
    const { stream, lines } = sink();
    const log = createLog(level as keyof typeof written, stream);
    for (const name of ['debug', 'info', 'warn', 'error'] as const) log[name]({}, name);
    assert.equal(lines.length, count);
  });
}

test('log injection: fields and messages end no line and drive no terminal', () => {
  const { stream, lines } = sink();
  const hostile = 'a\n{"level":60}\r\u001b[2J\u009b2J\u2028\u202e';
  createLog('info', stream).info({ sni: hostile, [hostile]: 1 }, hostile);
  assert.equal(lines.length, 1);
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch((lines[0] ?? '').trimEnd(), /[\u0000-\u001f\u0080-\u009f\u2028\u202e]/);
  assert.equal((JSON.parse(lines[0] ?? '') as { sni: string }).sni, hostile);
});

test('promise 10: no private key and no secret by name, wherever it stands', () => {
  const { stream, lines } = sink();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const secret = pem.split('\n')[1] ?? assert.fail();
  const log = createLog('info', stream);
  log.error({ error: new Error(`cannot read ${pem}`) }, 'a');
  log.error({ error: `cut short ${pem.slice(0, 100)}` }, 'b');
  log.error(
    { nested: { list: [{ PrivateKey: secret, private_key: secret, Authorization: secret, token: secret }] } },
    'c',
  );
  log.error({ pem: Buffer.from(pem), bytes: new Uint8Array(3) }, 'd');
  assert.equal(lines.length, 4);
  assert.ok(lines.every((line) => !line.includes(secret)));
  assert.match(lines[0] ?? '', /cannot read \[redacted\]/);
  assert.match(lines[3] ?? '', /"bytes":"\[3 bytes\]"/);
});

test('a reader that does not read costs lines, not memory, and is told how many', () => {
  const { stream, lines, release } = sink(true);
  const log = createLog('info', stream);
  for (let i = 0; i < 2_000; i += 1) log.info({ text: 'x'.repeat(4_000) }, 'm');
  assert.ok(stream.writableLength < 1_100_000);
  release();
  log.info({}, 'again');
  const skipped = lines
    .map((line) => (JSON.parse(line) as { skipped?: number }).skipped)
    .find((count) => count !== undefined);
  assert.ok(skipped !== undefined && skipped > 1_000);
  assert.equal(lines.length - 2 + skipped, 2_000);
});

test('a reader that is gone (EPIPE) does not end the process', async () => {
  const gone = new Writable({
    write: (_chunk, _encoding, callback) => callback(Object.assign(new Error('gone'), { code: 'EPIPE' })),
  });
  const log = createLog('info', gone);
  log.info({}, 'one');
  await new Promise(setImmediate);
  log.info({}, 'two');
  await new Promise(setImmediate);
  assert.equal(gone.errored?.message, 'gone');
});

test('bounds: nesting, items and length of text', () => {
  let deep: unknown = 'end';
  for (let i = 0; i < 100; i += 1) deep = { deep };
  const fields = {
    deep,
    text: 'x'.repeat(100_000),
    list: Array.from({ length: 1_000 }, (_, i) => i),
    big: 10n,
    no: null,
  };
  const cleaned = withoutSecrets(fields);
  assert.match(JSON.stringify(cleaned['deep']), /\[nested\]/);
  assert.equal((cleaned['text'] as string).length, 4_097);
  assert.equal((cleaned['list'] as unknown[]).length, 100);
  assert.equal(cleaned['big'], '10');
  assert.equal(cleaned['no'], null);
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  assert.match(JSON.stringify(withoutSecrets(cyclic)), /\[nested\]/);
});

test('an error is told with its name, message and code', () => {
  const cleaned = withoutSecrets({ error: Object.assign(new TypeError('no'), { code: 'E1' }) });
  const { stack, ...rest } = cleaned['error'] as Record<string, unknown>;
  assert.deepEqual(rest, { name: 'TypeError', message: 'no', code: 'E1' });
  assert.match(String(stack), /TypeError: no/);
});

test('the null log takes everything', () => {
  for (const name of ['debug', 'info', 'warn', 'error'] as const) NULL_LOG[name]({}, 'x');
});
