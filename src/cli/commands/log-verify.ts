import { isHash } from '../../core/record/chain.ts';
import { createChainVerifier } from '../../core/record/verify.ts';
import { EXIT } from '../exit-codes.ts';
import { logLines } from '../log-lines.ts';

import type { BrokenChain, SoundChain } from '../../core/record/verify.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { LogVerifyOptions } from '../define-log.ts';
import type { Terminal } from '../terminal.ts';

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
  const verifier = createChainVerifier(options.from);
  let brokenIn: string | undefined;
  let linesBefore = 0;
  for (const file of files) {
    const before = verifier.lines;
    const broken = await verifyFile(file, verifier);
    if (broken !== undefined) {
      brokenIn = file;
      linesBefore = before;
      break;
    }
  }
  const verdict = verifier.verdict();
  if (verdict.kind === 'broken')
    return printBroken({ ...verdict, line: verdict.line - linesBefore }, brokenIn ?? '', options, terminal);
  return printSound(verdict, options, terminal);
}

type Verifier = ReturnType<typeof createChainVerifier>;

async function verifyFile(file: string, verifier: Verifier): Promise<BrokenChain | undefined> {
  for await (const part of logLines(file)) {
    const broken = part.kind === 'line' ? verifier.push(part.bytes) : verifier.endFile(part.bytes);
    if (broken !== undefined) return broken;
  }
  return undefined;
}

const WHY = {
  malformed: 'is no line of a decision log',
  changed: 'was changed: its hash is not of this text',
  order: 'does not follow the line before it: lines were removed, added or reordered',
} as const satisfies Record<BrokenChain['why'], string>;

function printBroken(broken: BrokenChain, file: string, options: LogVerifyOptions, terminal: Terminal): ExitCode {
  if (options.json === true) terminal.out(JSON.stringify({ ok: false, file, line: broken.line, why: broken.why }));
  else terminal.out(terminal.style('out', 'red', `${file}:${broken.line}: ${WHY[broken.why]}`));
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
