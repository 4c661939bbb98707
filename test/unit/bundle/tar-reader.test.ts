import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { DEFAULT_BUNDLE_LIMITS } from '../../../src/core/bundle/limits.ts';
import { readTar } from '../../../src/core/bundle/tar-reader.ts';
import { TAR_END, paxRecord, rawTar } from '../../support/tar.ts';

import type { RawMember } from '../../support/tar.ts';

function read(archive: Uint8Array, limits = DEFAULT_BUNDLE_LIMITS): Readonly<Record<string, string>> {
  const files = readTar(archive, limits);
  assert.ok(files.ok, files.ok ? '' : files.error.detail);
  return Object.fromEntries(Array.from(files.value, ([name, bytes]) => [name, Buffer.from(bytes).toString()]));
}

function codeOf(archive: Uint8Array, limits = DEFAULT_BUNDLE_LIMITS): string {
  const files = readTar(archive, limits);
  return files.ok ? 'read' : files.error.code;
}

test('files are read by name, slash-prefixed as OPA writes them, or with ./ as tar does, or plain', () => {
  const members = [
    { name: '/a', content: '1' },
    { name: './b/c', content: '22' },
    { name: 'd', content: '' },
  ];
  assert.deepEqual(read(rawTar(members)), { a: '1', 'b/c': '22', d: '' });
});

function folder(name: string): RawMember {
  return { name, type: '5' };
}

test('folders are passed over, the root among them', () => {
  assert.deepEqual(read(rawTar([folder('./'), folder('/'), folder('a/'), { name: 'a/b', content: 'x' }])), {
    'a/b': 'x',
  });
});

test('an archive without members is empty, and padding of zeros may follow its end', () => {
  assert.deepEqual(read(rawTar([])), {});
  assert.deepEqual(read(rawTar([{ name: 'a' }], new Uint8Array(10_240))), { a: '' });
});

test('content of exactly one block and one byte more is read whole', () => {
  const names = [511, 512, 513].map((length) => ({ name: `f${length}`, content: 'x'.repeat(length) }));
  assert.deepEqual(
    Object.values(read(rawTar(names))).map((text) => text.length),
    [511, 512, 513],
  );
});

test('POSIX.1-1988: prefix and name are one path', () => {
  assert.deepEqual(read(rawTar([{ prefix: '/some/folder', name: 'file', content: 'x' }])), { 'some/folder/file': 'x' });
});

test('POSIX.1-2001: a pax path and size replace those of the header', () => {
  const path = `${'long/'.repeat(30)}ü.rego`;
  const pax: RawMember = {
    name: 'h',
    type: 'x',
    content: paxRecord('path', path) + paxRecord('size', '2') + paxRecord('mtime', '1.5'),
  };
  assert.deepEqual(read(rawTar([pax, { name: 'short', size: 0, content: 'ab' }])), { [path]: 'ab' });
});

test('a global pax comment, as git writes it, is passed over', () => {
  const global: RawMember = { name: 'g', type: 'g', content: paxRecord('comment', 'a1b2') };
  assert.deepEqual(read(rawTar([global, { name: 'a', content: 'x' }])), { a: 'x' });
});

test('a header name cut inside a character is no fault where a pax path stands instead', () => {
  const pax: RawMember = { name: 'h', type: 'x', content: paxRecord('path', 'whole') };
  assert.deepEqual(read(rawTar([pax, { name: Uint8Array.of(0x61, 0xe6), content: 'x' }])), { whole: 'x' });
});

test('GNU: a long name replaces that of the header', () => {
  const long: RawMember = { name: '././@LongLink', type: 'L', magic: 'ustar  \0', content: `/${'n'.repeat(200)}\0` };
  assert.deepEqual(read(rawTar([long, { name: 'short', magic: 'ustar  \0', content: 'x' }])), {
    ['n'.repeat(200)]: 'x',
  });
});

test('an old header without type flag is a file', () => {
  assert.deepEqual(read(rawTar([{ name: 'a', type: '\0', content: 'x' }])), { a: 'x' });
});

const REFUSED_NAMES = [
  '../a',
  'a/../b',
  '..',
  '.',
  '',
  '/',
  '//a',
  'a//b',
  './../a',
  '././a',
  'a/./b',
  '/../a',
  'a/..',
  'a/',
  'a\\b',
  'a\nb',
  'a\x7fb',
  'C:\\a',
];
for (const name of REFUSED_NAMES) {
  test(`the name ${JSON.stringify(name)} is refused`, () => {
    assert.equal(codeOf(rawTar([{ name, content: 'x' }])), 'name_refused');
    const pax = rawTar([
      { name: 'h', type: 'x', content: paxRecord('path', name) },
      { name: 'fine', content: 'x' },
    ]);
    assert.equal(codeOf(pax), 'name_refused');
  });
}

test('a name with a NUL inside a pax record, or over 1 KiB, is refused', () => {
  for (const path of ['a\0b', 'n'.repeat(1_025)]) {
    const archive = rawTar([{ name: 'h', type: 'x', content: paxRecord('path', path) }, { name: 'a' }]);
    assert.equal(codeOf(archive), 'name_refused');
  }
});

test('a folder outside the bundle is refused', () => {
  assert.equal(codeOf(rawTar([{ name: '../', type: '5' }])), 'name_refused');
});

test('the same name twice is refused, in whatever form', () => {
  assert.equal(
    codeOf(
      rawTar([
        { name: '/policy.wasm', content: '1' },
        { name: './policy.wasm', content: '2' },
      ]),
    ),
    'name_duplicate',
  );
});

for (const [type, what] of Object.entries({
  1: 'hard link',
  2: 'symbolic link',
  3: 'character device',
  4: 'block device',
  6: 'pipe',
  7: 'contiguous file',
  S: 'sparse file',
  K: 'GNU long link',
  M: 'continued file',
  Z: 'unknown kind',
})) {
  test(`a ${what} is refused`, () => assert.equal(codeOf(rawTar([{ name: 'a', type }])), 'member_refused'));
}

const MALFORMED: Readonly<Record<string, Uint8Array>> = {
  'no bytes at all': new Uint8Array(0),
  'a length that is no multiple of 512': rawTar([{ name: 'a' }]).subarray(0, -1),
  'no end marker': rawTar([{ name: 'a' }], new Uint8Array(0)),
  'one zero block as end marker': rawTar([{ name: 'a' }], new Uint8Array(512)),
  'a member after the end marker': Buffer.concat([rawTar([{ name: 'a' }]), rawTar([{ name: 'b' }])]),
  'a member after a single zero block': Buffer.concat([
    rawTar([{ name: 'a' }], new Uint8Array(512)),
    rawTar([{ name: 'b' }]),
  ]),
  'a wrong checksum': rawTar([{ name: 'a', checksum: 1 }]),
  'no magic': rawTar([{ name: 'a', magic: '' }]),
  'a size of base 256': rawTar([{ name: 'a', size: '\x80\0\0\0\0\0\0\0\0\0\0\x01' }]),
  'a negative size': rawTar([{ name: 'a', size: '-0000000001\0' }]),
  'a size with digits that are not octal': rawTar([{ name: 'a', size: '00000000009\0' }]),
  'an empty size': rawTar([{ name: 'a', size: '\0' }]),
  'content cut off': rawTar([{ name: 'a', size: 5_000, content: 'x' }]),
  'a folder with content': rawTar([{ name: 'a/', type: '5', content: 'x' }]),
  'a name that is not UTF-8': rawTar([{ name: Uint8Array.of(0x61, 0xff), content: 'x' }]),
  'an extended header at the end': rawTar([{ name: 'h', type: 'x', content: paxRecord('path', 'a') }]),
  'two extended headers in a row': rawTar([
    { name: 'h', type: 'x', content: paxRecord('path', 'a') },
    { name: 'h', type: 'L', content: 'b\0' },
    { name: 'c' },
  ]),
  'a global header that names members': rawTar([
    { name: 'g', type: 'g', content: paxRecord('path', 'a') },
    { name: 'b' },
  ]),
};
for (const [what, archive] of Object.entries(MALFORMED)) {
  test(`${what}: refused as malformed`, () => assert.equal(codeOf(archive), 'tar_malformed'));
}

const PAX_MALFORMED = [
  'x',
  '5 a=b\n',
  '99 path=a\n',
  '0 path=a\n',
  '09 path=a\n',
  '11 path=ab',
  '10 pathab\n',
  '8 =abcd\n',
  `${paxRecord('path', 'a')}rest`,
  paxRecord('path', 'a') + paxRecord('path', 'b'),
  paxRecord('size', '-1'),
  paxRecord('size', '1e3'),
  paxRecord('size', ' 1'),
  paxRecord('GNU.sparse.size', '1'),
  paxRecord('hdrcharset', 'BINARY'),
  ' '.repeat(30),
];
for (const content of PAX_MALFORMED) {
  test(`the pax header ${JSON.stringify(content)} is refused`, () => {
    assert.equal(codeOf(rawTar([{ name: 'h', type: 'x', content }, { name: 'fine' }])), 'tar_malformed');
  });
}

test('bounds: members, bytes of a member by header and by pax, bytes of an extended header', () => {
  const limits = { ...DEFAULT_BUNDLE_LIMITS, members: 3, memberBytes: 100 };
  const files = ['a', 'b', 'c', 'd'].map((name) => ({ name }));
  assert.equal(codeOf(rawTar(files.slice(0, 3)), limits), 'read');
  assert.equal(codeOf(rawTar(files), limits), 'too_large');
  assert.equal(codeOf(rawTar([{ name: 'a', content: 'x'.repeat(101) }]), limits), 'too_large');
  assert.equal(
    codeOf(rawTar([{ name: 'h', type: 'x', content: paxRecord('size', '999999999999999') }, { name: 'a' }]), limits),
    'too_large',
  );
  assert.equal(
    codeOf(rawTar([{ name: 'h', type: 'x', content: paxRecord('comment', 'x'.repeat(70_000)) }, { name: 'a' }])),
    'too_large',
  );
});

test('bounds: what no signature says anything of, padding and extended headers, is no way to make reading slow', () => {
  assert.deepEqual(read(rawTar([], new Uint8Array(1_048_576))), {});
  assert.equal(codeOf(rawTar([], new Uint8Array(1_049_088))), 'too_large');
  const comment = { name: 'pax_global_header', type: 'g', content: paxRecord('comment', 'x'.repeat(65_500)) };
  const headers = (count: number): string => codeOf(rawTar(Array.from({ length: count }, () => comment)));
  assert.deepEqual([headers(256), headers(257)], ['read', 'too_large']);
});

test('property: no bytes throw, and a name that is read stays inside', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_048 }), (bytes) => {
      codeOf(bytes);
      codeOf(Buffer.concat([bytes, Buffer.alloc(512 - (bytes.length % 512)), TAR_END]));
    }),
  );
  const member = fc.record({
    name: fc.string({ unit: fc.constantFrom('a', '/', '.', '\\', '\0', 'ü', ' '), maxLength: 12 }),
    content: fc.string({ maxLength: 600 }),
    type: fc.constantFrom('0', '5', 'x', 'L', 'g', '2', '\0'),
  });
  fc.assert(
    fc.property(fc.array(member, { maxLength: 5 }), (members) => {
      const files = readTar(rawTar(members), DEFAULT_BUNDLE_LIMITS);
      if (!files.ok) return;
      for (const name of files.value.keys())
        assert.ok(!name.startsWith('/') && !name.split('/').includes('..') && name !== '');
    }),
    { numRuns: 500 },
  );
});

test('property: one byte of a sound archive changed never throws', () => {
  const sound = rawTar([
    { name: 'h', type: 'x', content: paxRecord('path', 'long') },
    { name: 'a', content: 'hello' },
    { name: 'b', content: 'x'.repeat(600) },
  ]);
  fc.assert(
    fc.property(fc.nat(sound.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const changed = Uint8Array.from(sound);
      changed[at] = byte;
      assert.equal(typeof codeOf(changed), 'string');
    }),
    { numRuns: 1_000 },
  );
});
