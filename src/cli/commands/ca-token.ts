import { readFile } from 'node:fs/promises';

import { err, ok } from '../../core/kernel/result.ts';
import { createJoinToken, tokenHash } from '../../io/authority/join-token.ts';
import { writeWhole } from '../../io/authority/whole-file.ts';
import { withAuthority } from '../authority-at-hand.ts';

import type { ExitCode } from '../exit-codes.ts';
import type { CaTokenOptions } from '../define-ca-at-work.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport ca token`: the token alone on stdout, so that it can be passed on; or in a file as sidecars want it. */
export function token(options: CaTokenOptions, terminal: Terminal): Promise<ExitCode> {
  return withAuthority(options, terminal, async ({ store, deps }) => {
    const { id, ttl, out } = options;
    if (out !== undefined && !(await isFree(out))) return err(`${out} is there already and holds no token`);
    const made = createJoinToken(store, { spiffeId: id, ttlMs: ttl }, deps);
    if (!made.ok) return made;
    const { token: text, spiffeId, expiresMs } = made.value;
    const expires = new Date(expiresMs).toISOString();
    const said = `enrols one agent as ${id}, once, until ${expires}`;
    if (out === undefined) {
      const hint = 'a sidecar refuses a token in a file that others can read: --out FILE writes one for its owner only';
      return ok({ json: { token: text, spiffeId, expiresMs, expires }, lines: [text], advice: [said, hint] });
    }
    await writeWhole(out, `${text}\n`, 0o600);
    return ok({ json: { tokenFile: out, spiffeId, expiresMs, expires }, lines: [out], advice: [said] });
  });
}

/** True where there is nothing but an older token. */
async function isFree(path: string): Promise<boolean> {
  try {
    return tokenHash((await readFile(path, 'utf8')).trim()) !== undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return true;
    throw error;
  }
}
