import { shownPath, type PolicyPart } from './policy-part.ts';
import { isWithin, overlap, referencePath } from './reference.ts';

/** Below these, rules and data are the platform's, or made by us. */
const PLATFORM_PACKAGE = ['sallyport', 'platform'] as const;
/** Package of the module that composes. */
export const COMPOSED_PACKAGE = ['sallyport', 'composed'] as const;
const PLATFORM_DATA = 'platform';
/** Where below `data` the facts of the cluster stand. */
export const CLUSTER_DATA = 'kubernetes';
const LOG_PACKAGE = ['system', 'log'] as const;

/** Top-level documents that a namespace's data may not have. */
const CLOSED_DATA: ReadonlySet<string> = new Set([PLATFORM_DATA, CLUSTER_DATA, 'sallyport', 'system']);

/** What platform rules may read of `data` beside rules of their own: nothing else is out of every namespace's reach. */
export const PLATFORM_READS: ReadonlySet<string> = new Set([PLATFORM_DATA, CLUSTER_DATA]);

/** Packages of the starter library that answer, which a namespace may have of its own in their place; the others they stand on are the platform's. */
const REPLACEABLE = [
  ['sallyport', 'authz'],
  ['sallyport', 'mcp'],
] as const;

/** What is wrong with the platform's own files: each problem with its file, for the operator. */
export function platformProblems({ rego, data, declares }: PolicyPart): readonly string[] {
  const problems = declaredIn({ declares }).flatMap(({ at, path, isRule }) => {
    if (path !== undefined && isWithin(path, PLATFORM_PACKAGE)) return [];
    if (path !== undefined && isLogRule(path, isRule, ['mask', 'drop'])) return [];
    return [`${at}: platform rules stand in package sallyport.platform, below it, or in system.log`];
  });
  for (const key of Object.keys(data).filter((each) => each !== PLATFORM_DATA))
    problems.push(`${shownPath([key])}: platform data stands below data.platform; name the file platform.json`);
  const denies = declares.rules.some(({ path }) => path === 'data.sallyport.platform.deny');
  if (rego.size > 0 && !denies)
    problems.push(
      'no file declares data.sallyport.platform.deny: write `deny contains reason if …`, or remove the rules',
    );
  return problems;
}

/** What else a namespace must keep off. `library`: the starter library, where the platform brings it. */
export type Neighbours = { readonly library: PolicyPart | undefined };

/** What is wrong with a namespace's files: each problem with its place, for their author. None means that nothing in them can change what the platform says. */
export function namespaceProblems({ data, declares }: PolicyPart, { library }: Neighbours): readonly string[] {
  const fixed = libraryPackages(library).filter((path) => !isReplaceable(path));
  const problems = declaredIn({ declares }).flatMap(({ at, path, isRule }) => {
    const why = path === undefined ? UNREADABLE : refusal(path, isRule, fixed);
    return why === undefined ? [] : [`${at}: ${why}`];
  });
  for (const key of Object.keys(data).filter((each) => CLOSED_DATA.has(each)))
    problems.push(`${shownPath([key])}: this part of the data is the platform's; put yours under another key`);
  return [...new Set(problems)];
}

const UNREADABLE = 'a package or rule has a name with a part that is no plain text; rename it';

function refusal(
  path: readonly string[],
  isRule: boolean,
  library: readonly (readonly string[])[],
): string | undefined {
  const [top = ''] = path;
  if (isLogRule(path, isRule, ['mask'])) return undefined;
  if (isWithin(path, LOG_PACKAGE) && path[2] === 'drop')
    return 'only the platform may drop decision records; mask what must not be written down';
  if (top === 'system') return 'of package system a namespace may have system.log.mask only';
  if (top === PLATFORM_DATA || top === CLUSTER_DATA) return `package ${top} is the platform's; choose another name`;
  for (const closed of [PLATFORM_PACKAGE, COMPOSED_PACKAGE])
    if (overlap(path, closed)) return `package ${closed.join('.')} is the platform's; choose another name`;
  const taken = library.find((own) => overlap(path, own));
  return taken && `package ${taken.join('.')} comes with the platform's library; leave this file out`;
}

/** `system.log` itself, and of its rules those that are allowed. */
function isLogRule(path: readonly string[], isRule: boolean, allowed: readonly string[]): boolean {
  if (!isWithin(path, LOG_PACKAGE)) return false;
  return isRule ? path.length === 3 && allowed.includes(path[2] ?? '') : path.length === 2;
}

/** The library without the packages that the namespace has of its own. `all`: without all of those that it might have. */
export function libraryBeside(library: PolicyPart, own: PolicyPart | 'all'): ReadonlyMap<string, string> {
  const declared = own === 'all' ? [] : declaredIn(own).map(({ path }) => path);
  const isReplaced = (path: readonly string[]): boolean =>
    isReplaceable(path) && (own === 'all' || declared.some((other) => other !== undefined && overlap(other, path)));
  const gone = new Set(
    library.declares.packages.filter(({ path }) => isReplaced(referencePath(path) ?? [])).flatMap(({ files }) => files),
  );
  return new Map([...library.rego].filter(([path]) => !gone.has(path)));
}

function libraryPackages(library: PolicyPart | undefined): readonly (readonly string[])[] {
  return (library?.declares.packages ?? []).flatMap(({ path }) => {
    const keys = referencePath(path);
    return keys === undefined ? [] : [keys];
  });
}

function isReplaceable(path: readonly string[]): boolean {
  return REPLACEABLE.some((root) => isWithin(path, root));
}

type Declared = {
  /** For people: the file, and the line of a rule. */
  readonly at: string;
  /** Undefined where the name cannot be told. */
  readonly path: readonly string[] | undefined;
  readonly isRule: boolean;
};

function declaredIn({ declares: { packages, rules } }: Pick<PolicyPart, 'declares'>): readonly Declared[] {
  return [
    ...packages.flatMap(({ path, files }) =>
      files.map((file) => ({ at: file, path: referencePath(path), isRule: false })),
    ),
    ...rules.map(({ path, file, row }) => ({ at: `${file}:${row}`, path: referencePath(path), isRule: true })),
  ];
}
