import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createWasiShim, InstanceExit } from '../../../src/io/rego/wasi-shim.ts';
import { importing, moduleOf } from '../../support/wasm-module.ts';

const WASI = 'wasi_snapshot_preview1';
const NOT_SUPPORTED = 52;
const BAD_FILE = 8;

type Call = (...args: unknown[]) => number;

interface Shim {
  readonly call: Readonly<Record<string, Call>>;
  readonly view: () => DataView;
  grow(): void;
  output(): string;
}

function shimFor(...names: readonly string[]): Shim {
  let buffer = new ArrayBuffer(1024);
  const module = new WebAssembly.Module(moduleOf(...importing(names.map((name) => [WASI, name] as const))));
  const shim = createWasiShim(module, () => buffer);
  return {
    call: shim.imports[WASI] as Readonly<Record<string, Call>>,
    view: () => new DataView(buffer),
    output: () => shim.output(),
    grow: () => (buffer = buffer.transfer(4096)),
  };
}

test('the instance gets exactly the functions that it imports', () => {
  const { call } = shimFor('random_get', 'path_open');
  assert.deepEqual(Object.keys(call).toSorted(), ['path_open', 'random_get']);
});

test('files, directories and the network do not exist', () => {
  const names = [
    'path_open',
    'fd_read',
    'fd_readdir',
    'path_filestat_get',
    'path_unlink_file',
    'sock_accept',
    'sock_send',
  ];
  const { call } = shimFor(...names);
  for (const name of names) assert.equal(call[name]!(3, 0, 0, 0, 0, 0, 0, 0, 0), NOT_SUPPORTED, name);
});

test('no directory is opened beforehand', () => {
  assert.equal(shimFor('fd_prestat_get').call['fd_prestat_get']!(3, 0), BAD_FILE);
});

test('there are no arguments and no environment', () => {
  const { call, view } = shimFor('args_sizes_get', 'environ_sizes_get', 'args_get', 'environ_get');
  for (const name of ['args_sizes_get', 'environ_sizes_get']) {
    view().setUint32(16, 7, true);
    view().setUint32(20, 7, true);
    assert.equal(call[name]!(16, 20), 0);
    assert.deepEqual([view().getUint32(16, true), view().getUint32(20, true)], [0, 0]);
  }
  assert.equal(call['args_get']!(0, 0), 0);
  assert.equal(call['environ_get']!(0, 0), 0);
});

test('random_get fills exactly the bytes asked for', () => {
  const { call, view } = shimFor('random_get');
  assert.equal(call['random_get']!(64, 32), 0);
  const bytes = new Uint8Array(view().buffer);
  assert.ok(bytes.subarray(64, 96).some((byte) => byte !== 0));
  assert.ok(bytes.subarray(0, 64).every((byte) => byte === 0));
  assert.ok(bytes.subarray(96).every((byte) => byte === 0));
});

test('clock_time_get: the wall clock in nanoseconds since 1970, the monotonic one never backwards', () => {
  const { call, view } = shimFor('clock_time_get');
  const before = BigInt(Date.now()) * 1_000_000n;
  assert.equal(call['clock_time_get']!(0, 0n, 8), 0);
  assert.ok(view().getBigUint64(8, true) >= before);
  call['clock_time_get']!(1, 0n, 8);
  const first = view().getBigUint64(8, true);
  call['clock_time_get']!(1, 0n, 8);
  assert.ok(view().getBigUint64(8, true) >= first);
});

test('memory is looked up at every call, since growth replaces the buffer', () => {
  const shim = shimFor('random_get');
  shim.grow();
  assert.equal(shim.call['random_get']!(2048, 16), 0);
  assert.ok(new Uint8Array(shim.view().buffer).subarray(2048, 2064).some((byte) => byte !== 0));
});

test('poll_oneoff reports each subscription with its own user data and type', () => {
  const { call, view } = shimFor('poll_oneoff');
  view().setBigUint64(0, 11n, true);
  view().setBigUint64(48, 22n, true);
  view().setUint8(56, 1);
  assert.equal(call['poll_oneoff']!(0, 200, 2, 300), 0);
  assert.equal(view().getUint32(300, true), 2);
  assert.deepEqual([view().getBigUint64(200, true), view().getUint8(210)], [11n, 0]);
  assert.deepEqual([view().getBigUint64(232, true), view().getUint8(242)], [22n, 1]);
});

test('sched_yield succeeds', () => {
  assert.equal(shimFor('sched_yield').call['sched_yield']!(), 0);
});

test('the standard streams are character devices and nothing else is open', () => {
  const { call, view } = shimFor('fd_fdstat_get');
  assert.equal(call['fd_fdstat_get']!(2, 100), 0);
  assert.equal(view().getUint8(100), 2);
  assert.equal(call['fd_fdstat_get']!(3, 100), BAD_FILE);
});

function write(shim: Shim, text: string): number {
  const bytes = Buffer.from(text);
  new Uint8Array(shim.view().buffer).set(bytes, 512);
  const half = bytes.length >> 1;
  const vectors = [512, half, 512 + half, bytes.length - half];
  for (const [at, value] of vectors.entries()) shim.view().setUint32(at * 4, value, true);
  assert.equal(shim.call['fd_write']!(2, 0, 2, 100), 0);
  return shim.view().getUint32(100, true);
}

test('what the instance writes is kept for the message of a crash', () => {
  const shim = shimFor('fd_write');
  assert.equal(shim.output(), '');
  assert.equal(write(shim, 'fatal error: out of memory\n'), 27);
  assert.equal(shim.output(), 'fatal error: out of memory');
});

test('of endless output only the first 4 KiB are kept, but all of it is accepted', () => {
  const shim = shimFor('fd_write');
  for (let i = 0; i < 100; i += 1) assert.equal(write(shim, 'x'.repeat(100)), 100);
  assert.equal(shim.output(), 'x'.repeat(4096));
});

test('proc_exit leaves the instance with its code', () => {
  const { call } = shimFor('proc_exit');
  assert.throws(() => call['proc_exit']!(2), new InstanceExit(2));
});
