import { PLATFORM_READS } from './ownership.ts';
import { isObject } from './policy-part.ts';

/** Entrypoints of the platform's own rules, to be compiled without any namespace: its plan is for `platformReads`. */
export const PLATFORM_ENTRYPOINT = 'sallyport/platform/deny';

/** Numbers of the locals that every function of a plan begins with (OPA's intermediate representation): input and data. */
const DATA_LOCAL = 1;

/**
 * Checks that the platform's rules, compiled by themselves, read nothing of `data` but `data.platform` and `data.kubernetes`: anything else a namespace could
 * write, and so choose what the platform denies. Gives what is wrong, by the plan that OPA made of them. A plan that is not understood is no good.
 */
export function platformReads(plan: unknown): readonly string[] {
  const strings = stringsOf(plan);
  if (strings === undefined) return ['the plan of the platform rules is of a form that is not known'];
  const found = new Set<string>();
  const see = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(see);
    if (!isObject(node)) return;
    const read = readOf(node, strings);
    if (read !== undefined && !PLATFORM_READS.has(read)) found.add(read);
    // Where `data` was taken as it may be, only the rest of the statement is looked at.
    Object.values(read === undefined ? withoutArguments(node) : {}).forEach(see);
  };
  see(plan);
  return [...found].sort().map(problem);
}

const EVERYTHING = '';

function problem(key: string): string {
  if (key === 'sallyport')
    return 'the platform rules look below data.sallyport for what is not theirs, or by a name that only evaluation knows: name each rule outright';
  const what = key === EVERYTHING ? 'or replace all of data' : `data.${key}`;
  return `the platform rules read ${what}, which a namespace can write: read data.platform and data.kubernetes only`;
}

/** The top-level document that a node reads, or everything where it takes `data` whole. */
function readOf(node: Readonly<Record<string, unknown>>, strings: readonly string[]): string | undefined {
  const { type, stmt } = node;
  if (type === 'DotStmt' && isObject(stmt) && isData(stmt['source']))
    return stringAt(stmt['key'], strings) ?? EVERYTHING;
  if (isData(node)) return EVERYTHING;
  if (type === 'CallDynamicStmt') return isObject(stmt) && isNamed(stmt['path'], strings) ? undefined : EVERYTHING;
  // Statements that name a local by its number alone.
  const names = ['source', 'local', 'target'].some((key) => node[key] === DATA_LOCAL);
  return names ? EVERYTHING : undefined;
}

/** A rule that is found by name at evaluation: `[group, package, package, …]`. Both packages are known, and nobody else's. */
function isNamed(path: unknown, strings: readonly string[]): boolean {
  if (!Array.isArray(path)) return false;
  const [, top, second] = path.map((key: unknown) => stringAt(key, strings));
  return top === 'sallyport' && second !== undefined;
}

/** Calls hand `data` on to a function, which is looked at itself. */
function withoutArguments(node: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { args, ...rest } = node;
  if (!('func' in node) || !Array.isArray(args)) return node;
  return { ...rest, args: args.filter((arg, index) => index !== DATA_LOCAL || !isData(arg)) };
}

function isData(operand: unknown): boolean {
  return isObject(operand) && operand['type'] === 'local' && operand['value'] === DATA_LOCAL;
}

function stringAt(operand: unknown, strings: readonly string[]): string | undefined {
  if (!isObject(operand) || operand['type'] !== 'string_index') return undefined;
  const { value: index } = operand;
  return typeof index === 'number' ? strings[index] : undefined;
}

function stringsOf(plan: unknown): readonly string[] | undefined {
  const statics = isObject(plan) ? plan['static'] : undefined;
  const strings = isObject(statics) ? statics['strings'] : undefined;
  if (!Array.isArray(strings)) return undefined;
  return strings.map((each: unknown) => (isObject(each) && typeof each['value'] === 'string' ? each['value'] : ''));
}
