import { CAUSES } from './exceptions.ts';
import type { ExceptionKind } from './exceptions.ts';
import { count } from './outcome.ts';
import type { Outcome } from './outcome.ts';

const BEGIN = '<!-- conformance:begin, written by `npm run conformance:rego -- --write` -->';
const END = '<!-- conformance:end -->';

/** The document with what stands between the two marks replaced. */
export function withTable(document: string, table: string): string {
  const [before, after] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`the document has lost its marks ${BEGIN} and ${END}`);
  return `${document.slice(0, before)}${BEGIN}\n\n${table}\n\n${document.slice(after)}`;
}

/** The result as Markdown: the counts, the table by group, and every exception with its cause. */
export function tables(outcomes: readonly Outcome[], opa: string): string {
  const total = `OPA ${opa}: ${outcomes.length} cases, ${count(outcomes, 'passed')} hold, ${count(outcomes, 'excepted')} are exceptions, ${count(outcomes, 'failed') + count(outcomes, 'stale')} fail.`;
  return [total, groupTable(outcomes), exceptionTable(outcomes)].join('\n\n');
}

function groupTable(outcomes: readonly Outcome[]): string {
  const rows = [...Map.groupBy(outcomes, ({ one }) => one.group)].map(([group, all]) => {
    const failed = count(all, 'failed') + count(all, 'stale');
    return `| ${group} | ${count(all, 'passed')} | ${count(all, 'excepted') || ''} | ${failed || ''} |`;
  });
  return ['| group of the suite | hold | excepted | fail |', '|---|--:|--:|--:|', ...rows].join('\n');
}

function exceptionTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.flatMap((outcome) => {
    return outcome.kind === 'excepted' ? [{ kind: outcome.exception.kind, one: outcome.one }] : [];
  });
  const parts = [...Map.groupBy(rows, ({ kind }) => kind)].map(([kind, all]) => {
    return [`- ${causeOf(kind)}`, ...all.map(({ one }) => `  - \`${one.place}\` ${one.note}`)].join('\n');
  });
  return ['The exceptions:', ...parts].join('\n\n');
}

function causeOf(kind: ExceptionKind): string {
  return CAUSES[kind];
}
