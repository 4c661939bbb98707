import assert from 'node:assert/strict';
import { chmod, lchown, lstat, mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { listenOn, prepareSocket, type SocketAccess } from '../../../src/io/workload-api/socket-file.ts';
import { tempFolder } from '../../support/temp-folder.ts';

async function open(context: TestContext, path: string, access: SocketAccess = 'owner'): Promise<Server> {
  const server = createServer();
  context.after(() => server.close());
  await prepareSocket(path, access);
  await listenOn(server, path, access);
  return server;
}

const modeOf = async (path: string): Promise<string> => ((await lstat(path)).mode & 0o777).toString(8);

describe('who can open the socket: the folder and the mode say so', () => {
  for (const [access, folderMode, socketMode] of [
    ['owner', '700', '600'],
    ['group', '750', '660'],
  ] as const) {
    test(`${access}: a folder that is made has ${folderMode}, the socket ${socketMode}, and the umask is as it was`, async (context) => {
      const folder = join(await tempFolder(context), 'a', 'b');
      const before = process.umask();
      await open(context, join(folder, 'api.sock'), access);
      assert.deepEqual([await modeOf(folder), await modeOf(join(folder, 'api.sock'))], [folderMode, socketMode]);
      assert.equal(process.umask(), before);
    });
  }

  const folders: readonly (readonly [SocketAccess, number, RegExp | undefined])[] = [
    ['owner', 0o700, undefined],
    ['owner', 0o500, undefined],
    ['owner', 0o750, /has mode 750, and whoever can open the socket gets our identities: chmod 700/],
    ['owner', 0o701, /chmod 700/],
    ['group', 0o750, undefined],
    ['group', 0o700, undefined],
    ['group', 0o770, /has mode 770.*chmod 750/],
    ['group', 0o755, /chmod 750/],
    ['group', 0o751, /chmod 750/],
  ];
  for (const [access, mode, said] of folders) {
    test(`${access}: a folder of mode ${mode.toString(8)} is ${said === undefined ? 'taken' : 'refused'}`, async (context) => {
      const folder = join(await tempFolder(context), 'there');
      await mkdir(folder);
      await chmod(folder, mode);
      const prepared = prepareSocket(join(folder, 'api.sock'), access);
      if (said === undefined) await prepared;
      else await assert.rejects(prepared, said);
    });
  }

  test('a folder below one that others can write in is refused, a symbolic link does not hide it', async (context) => {
    const root = await tempFolder(context);
    const open = join(root, 'open');
    await mkdir(join(open, 'private'), { recursive: true, mode: 0o700 });
    await chmod(open, 0o777);
    await symlink(join(open, 'private'), join(root, 'link'));
    for (const path of [join(open, 'private', 's'), join(root, 'link', 's')])
      await assert.rejects(prepareSocket(path, 'owner'), /open is writable by others, who could replace/);
    await chmod(open, 0o1777);
    await prepareSocket(join(open, 'private', 's'), 'owner');
  });
});

describe('what is there already', () => {
  test('a symbolic link that others can turn elsewhere is refused, one of our own is taken', async (context) => {
    const root = await tempFolder(context);
    const [open, safe] = [join(root, 'open'), join(root, 'safe')];
    await mkdir(join(root, 'private', 'below'), { recursive: true, mode: 0o700 });
    await mkdir(open);
    await mkdir(safe, { mode: 0o700 });
    await chmod(open, 0o777);
    for (const folder of [open, safe]) await symlink(join(root, 'private'), join(folder, 'link'));
    await prepareSocket(join(safe, 'link', 'below', 'api.sock'), 'owner');
    await assert.rejects(
      prepareSocket(join(open, 'link', 'below', 'api.sock'), 'owner'),
      /link is a symbolic link that others can turn elsewhere: use .*private/,
    );
    await chmod(open, 0o1777);
    await prepareSocket(join(open, 'link', 'api.sock'), 'owner');
    if (process.getuid?.() !== 0) return;
    await lchown(join(open, 'link'), 12_345, 12_345);
    await assert.rejects(prepareSocket(join(open, 'link', 'api.sock'), 'owner'), /a symbolic link that others/);
  });

  test('a socket that nobody listens on is replaced', async (context) => {
    const path = join(await tempFolder(context), 'api.sock');
    const first = await open(context, path);
    await chmod(path, 0o600);
    // As kill -9 leaves it: the file stays.
    const { promise, resolve } = Promise.withResolvers<void>();
    await rename(path, `${path}.kept`);
    first.close(() => resolve());
    await promise;
    await rename(`${path}.kept`, path);
    assert.ok((await lstat(path)).isSocket());
    await open(context, path);
  });

  test('a socket that somebody listens on stays', async (context) => {
    const path = join(await tempFolder(context), 'api.sock');
    const first = await open(context, path);
    await assert.rejects(prepareSocket(path, 'owner'), /somebody listens there already/);
    assert.equal(first.listening, true);
    assert.ok((await lstat(path)).isSocket());
  });

  test('a file that is no socket stays', async (context) => {
    const path = join(await tempFolder(context), 'api.sock');
    await writeFile(path, 'mine');
    await assert.rejects(prepareSocket(path, 'owner'), /is there and is no socket/);
    assert.ok((await lstat(path)).isFile());
  });

  test('a path that cannot be bound rejects, with the umask as it was', async (context) => {
    const path = join(await tempFolder(context), 'x'.repeat(120));
    const before = process.umask();
    await assert.rejects(listenOn(createServer(), path, 'owner'));
    assert.equal(process.umask(), before);
  });
});
