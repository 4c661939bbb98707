import { isHash } from '../../core/record/chain.ts';
import { EXIT } from '../exit-codes.ts';
import { verifyLogFiles } from '../verify-log-files.ts';

import type { BrokenChain, SoundChain } from '../../core/record/verify.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { LogVerifyOptions } from '../define-log.ts';
import type { Terminal } from '../terminal.ts';
import type { FilesVerdict } from '../verify-log-files.ts';

/** `sallyport log verify`: the files are one log, oldest first. */
export async function logVerify(
  files: readonly string[],
  options: LogVerifyOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (options.from !== undefined && !isHash(options.from)) {
    terminal.err('sallyport log verify: --from is no hash of 64 hexadecimal digits');
    return EXIT.wrongUse;
  }
  const verdict = await verifyLogFiles(files, options.from);
  return verdict.kind === 'broken' ? printBroken(verdict, options, terminal) : printSound(verdict, options, terminal);
}

type BrokenLog = Extract<FilesVerdict, { kind: 'broken' }>;

const WHY = {
  malformed: 'is no line of a decision log',
  changed: 'was changed: its hash is not of this text',
  order: 'does not follow the line before it: lines were removed, added or reordered',
} as const satisfies Record<BrokenChain['why'], string>;

function printBroken(broken: BrokenLog, options: LogVerifyOptions, terminal: Terminal): ExitCode {
  const { file, line, why } = broken;
  if (options.json === true) terminal.out(JSON.stringify({ ok: false, file, line, why }));
  else terminal.out(terminal.style('out', 'red', `${file}:${line}: ${WHY[why]}`));
  return EXIT.no;
}

function printSound(sound: SoundChain, options: LogVerifyOptions, terminal: Terminal): ExitCode {
  if (options.json === true) {
    const { kind: _, ...facts } = sound;
    terminal.out(JSON.stringify({ ok: true, ...facts }));
    return EXIT.done;
  }
  const { records, lost, joined, torn, restarts, unfinished } = sound;
  const seams = Object.entries({ lost, joined, torn, restarts, unfinished }).filter(([, number]) => number > 0);
  const said = seams.map(([name, number]) => `, ${number} ${name}`).join('');
  terminal.out(`${terminal.style('out', 'green', 'sound')}: ${records} records${said}`);
  if (sound.first !== undefined) terminal.out(`first follows ${sound.first}`);
  if (sound.last !== undefined) terminal.out(`next must follow ${sound.last}`);
  return EXIT.done;
}
