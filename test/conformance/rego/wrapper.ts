import type { Case } from './case.ts';

/** Package of the wrapper: no case has one of this name. */
const PACKAGE = 'sallyport_query';

/** The rows that the query gives, as a set of objects. */
export const ROWS = `${PACKAGE}/rows`;
/** The same as JSON text: numbers beyond a double are in it digit by digit. */
export const ROWS_TEXT = `${PACKAGE}/rows_text`;

/** The files to compile for a case: its modules, and one that makes its query a rule. */
export function caseFiles(one: Case): Readonly<Record<string, string>> {
  const modules = one.modules.map((text, index) => [`module-${index}.rego`, text] as const);
  return { ...Object.fromEntries(modules), 'query.rego': wrapper(one) };
}

function wrapper(one: Case): string {
  const row = `{${variables(one)
    .map((name) => `"${name}": ${name}`)
    .join(', ')}}`;
  return `package ${PACKAGE}

answers contains ${row} if {
	${one.query}
}

${rowsRule(one)}

rows_text := json.marshal(rows)
`;
}

/** Input that is no JSON object is put in its place by the rule: the host takes nothing else. */
function rowsRule({ input }: Case): string {
  return input.kind === 'term'
    ? `rows := found if found := answers with input as ${input.text.trim()}`
    : 'rows := answers';
}

/** The variables whose bindings the case wants to see. */
function variables(one: Case): readonly string[] {
  if (one.wanted.kind !== 'rows') return [];
  return [...new Set(one.wanted.rows.flatMap((row) => Object.keys(row)))];
}
