import { CAUSES } from './exceptions.ts';
import type { ExceptionKind } from './exceptions.ts';
import { count } from './outcome.ts';
import type { Outcome } from './outcome.ts';

/** Parts of the document that are written by `npm run conformance:rego -- --write`, each between two marks. */
export type Part = 'suite' | 'built-ins' | 'differences';

/** The document with a part replaced. */
export function withPart(document: string, part: Part, text: string): string {
  const [begin, end] = marks(part);
  return document.replace(partOf(document, part), () => `${begin}\n\n${text}\n\n${end}`);
}

/** A part as it stands in the document, with its marks. */
export function partOf(document: string, part: Part): string {
  const [begin, end] = marks(part);
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the document has lost its marks ${begin} and ${end}`);
  return document.slice(from, to + end.length);
}

function marks(part: Part): readonly [string, string] {
  return [`<!-- ${part}: written by npm run conformance:rego -- --write -->`, `<!-- ${part}: end -->`];
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
