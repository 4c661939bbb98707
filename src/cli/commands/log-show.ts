import { readLogLine } from '../../core/record/read-line.ts';
import { EXIT } from '../exit-codes.ts';
import { logLines } from '../log-lines.ts';
import { inert } from '../terminal.ts';

import type { LogLine } from '../../core/record/read-line.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { LogShowOptions } from '../define-log.ts';
import type { Style, Terminal } from '../terminal.ts';

const VERDICTS: Readonly<Record<string, Style>> = { allow: 'green', deny: 'red', 'would-deny': 'yellow' };

/** `sallyport log show`. Nothing is verified here: `log verify` does. */
export async function logShow(file: string, options: LogShowOptions, terminal: Terminal): Promise<ExitCode> {
  if (options.verdict !== undefined && !Object.hasOwn(VERDICTS, options.verdict)) {
    terminal.err('sallyport log show: --verdict is one of allow, deny, would-deny');
    return EXIT.wrongUse;
  }
  const kept: string[] = [];
  for await (const { bytes } of logLines(file)) {
    if (bytes.length === 0) continue;
    const line = readLogLine(bytes);
    if (!wanted(line, options)) continue;
    const text = options.json === true ? new TextDecoder().decode(bytes) : shown(line, terminal);
    if (options.last === undefined) terminal.out(text);
    else if (kept.push(text) > options.last) kept.shift();
  }
  for (const text of kept) terminal.out(text);
  return EXIT.done;
}

/** Notices and unreadable lines are shown unless something was asked for that only records have. */
function wanted(line: LogLine, { verdict, peer, id, candidateDiffers, json }: LogShowOptions): boolean {
  if (line.kind !== 'record') return json !== true && (verdict ?? peer ?? id ?? candidateDiffers) === undefined;
  const { sallyport } = line.record;
  return (
    (verdict === undefined || sallyport.verdict === verdict) &&
    (peer === undefined || sallyport.peer === peer) &&
    (candidateDiffers !== true || at(at(sallyport, 'candidate'), 'differs') === true) &&
    (id === undefined || line.record.decision_id === id)
  );
}

function shown(line: LogLine, terminal: Terminal): string {
  switch (line.kind) {
    case 'record':
      return shownRecord(line.record, terminal);
    case 'notice':
      return terminal.style('out', 'dim', inert(`${line.timestamp} ${JSON.stringify(line.notice)}`));
    case 'unreadable':
      return terminal.style('out', 'red', `a line that is no decision record: ${inert(line.why)}`);
    default:
      return line satisfies never;
  }
}

/** Time, verdict, status, peer (or destination), what was called, why. The file is from elsewhere: nothing in it need be of the kind that we write. */
function shownRecord(record: unknown, terminal: Terminal): string {
  const ours = at(record, 'sallyport');
  const verdict = text(at(ours, 'verdict'), '?');
  const outcome = at(ours, 'outcome');
  const grpc = at(outcome, 'grpc_status');
  const http = at(at(at(at(record, 'input'), 'attributes'), 'request'), 'http');
  const asked = http ?? at(ours, 'request');
  return [
    text(at(record, 'timestamp'), '?'),
    terminal.style('out', VERDICTS[verdict] ?? 'bold', verdict.padEnd(10)),
    `${text(at(outcome, 'status'), '0')}${grpc === undefined ? '' : `/${text(grpc, '?')}`}`.padEnd(6),
    otherSide(ours),
    `${text(at(asked, 'method'), '')} ${text(at(http, 'path') ?? at(asked, 'target'), '')}`.trim() || '-',
    terminal.style('out', 'dim', [...why(ours), ...candidateSays(ours)].join('; ')),
  ]
    .join(' ')
    .trimEnd();
}

/** Who called; of the agent's own call, whom it called. */
function otherSide(ours: unknown): string {
  if (at(ours, 'direction') !== 'outbound') return text(at(ours, 'peer'), 'nobody');
  return `to ${text(at(at(ours, 'destination'), 'name'), 'nobody that is configured')}`;
}

/** The code of what refused or ended it, with what exactly was wrong, and what the policy said; each thing once. */
function why(ours: unknown): readonly string[] {
  const [reasons, outcome] = [at(ours, 'reasons'), at(ours, 'outcome')];
  const parts = [ours, outcome].flatMap((from) => [at(from, 'fault'), at(from, 'detail')]);
  const texts = [...parts, ...(Array.isArray(reasons) ? reasons : [])].map((part) => text(part, ''));
  return [...new Set(texts)].filter((part) => part !== '');
}

/** What the candidate would have done otherwise, and why. */
function candidateSays(ours: unknown): readonly string[] {
  const candidate = at(ours, 'candidate');
  if (at(candidate, 'differs') !== true) return [];
  const reasons = at(candidate, 'reasons');
  const texts = [at(candidate, 'fault'), ...(Array.isArray(reasons) ? reasons : [])].map((part) => text(part, ''));
  const because = texts.filter((part) => part !== '').join(', ');
  const said = `candidate ${text(at(candidate, 'revision'), '?')}: ${text(at(candidate, 'verdict'), '?')}`;
  return [because === '' ? said : `${said} (${because})`];
}

/** Text or a number, safe to show. */
function text(value: unknown, otherwise: string): string {
  return typeof value === 'string' || typeof value === 'number' ? inert(String(value)) : otherwise;
}

function at(value: unknown, key: string): unknown {
  const isOwn = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
  return isOwn ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}
