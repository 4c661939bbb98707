import type { Import, SourceFile } from './imports.ts';

/** A rule that broke, with its reason: what a newcomer needs to mend it. */
export type Violation = { readonly file: string; readonly line: number; readonly rule: string; readonly why: string };

/** `node:` modules that a core room may use, and why. Everything else of Node is the world. */
const CORE_MODULES: Readonly<Record<string, readonly string[]>> = {
  'node:crypto': ['identity', 'issuance', 'record', 'bundle', 'policy', 'injection'],
  'node:zlib': ['bundle'],
};

/** Globals that would let the world into core. Clock and randomness are arguments. */
const CORE_GLOBALS: readonly RegExp[] = [
  /(?<![.\w])process\./,
  /(?<![.\w])console\./,
  /(?<![.\w])set(?:Timeout|Interval|Immediate)\(/,
  /(?<![.\w])(?:fetch|queueMicrotask)\(/,
  /\bDate\.now\(/,
  /\bnew Date\(\)/,
  /\bMath\.random\(/,
  /\bperformance\.now\(/,
];

/** Which core rooms may import which others besides kernel and model (design: core rooms meet only through `model`). */
const CORE_EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  issuance: ['identity'],
  gate: ['identity', 'request', 'policy', 'bundle', 'record', 'config', 'defence', 'issuance', 'injection'],
};

const LAYERS: readonly string[] = ['core', 'io', 'app', 'cli'];

/** Checks every rule of the house over all files. An empty list means the house stands. */
export function violations(files: readonly SourceFile[]): readonly Violation[] {
  return [...files.flatMap((file) => [...importViolations(file), ...textViolations(file)]), ...cycles(files)];
}

function importViolations(file: SourceFile): Violation[] {
  return file.imports.flatMap((imported) => {
    const broken = brokenRule(file.path, imported);
    return broken === undefined ? [] : [{ file: file.path, line: imported.line, ...broken }];
  });
}

function brokenRule(path: string, imported: Import): { rule: string; why: string } | undefined {
  const [layer = '', room = ''] = path.split('/');
  if (imported.to.startsWith('node:')) return layer === 'core' ? brokenNodeModule(room, imported) : undefined;
  const [toLayer = '', toRoom = ''] = imported.to.split('/');
  if (!LAYERS.includes(toLayer)) return undefined;
  if (LAYERS.indexOf(toLayer) > LAYERS.indexOf(layer)) {
    return {
      rule: `${layer} imports ${imported.to}`,
      why: 'direction: core, then io, then app, then cli; a lower layer never knows a higher one',
    };
  }
  if (layer === 'io' && toLayer === 'io' && toRoom !== room) {
    return {
      rule: `io/${room} imports io/${toRoom}`,
      why: 'io rooms never import each other: app joins them through interfaces that the using room declares',
    };
  }
  return layer === 'core' ? brokenCoreRule(room, toRoom, imported) : undefined;
}

function brokenNodeModule(room: string, imported: Import): { rule: string; why: string } | undefined {
  if (CORE_MODULES[imported.to]?.includes(room) === true) return undefined;
  return {
    rule: `core/${room} imports ${imported.to}`,
    why: 'core holds no sockets, files, timers or environment; only the crypto rooms may use node:crypto',
  };
}

function brokenCoreRule(room: string, toRoom: string, imported: Import): { rule: string; why: string } | undefined {
  if (room === toRoom || toRoom === 'kernel') return undefined;
  if (room === 'kernel')
    return { rule: `core/kernel imports ${imported.to}`, why: 'everything stands on kernel, so it stands on nothing' };
  if (toRoom === 'model' || CORE_EXCEPTIONS[room]?.includes(toRoom) === true) return undefined;
  return {
    rule: `core/${room} imports core/${toRoom}`,
    why: 'core rooms meet only through model (issuance may use identity, gate may use all)',
  };
}

function textViolations(file: SourceFile): Violation[] {
  const found: Violation[] = [];
  const lines = file.text.split('\n');
  const say = (index: number, rule: string, why: string): void =>
    void found.push({ file: file.path, line: index + 1, rule, why });
  if (/(^|\/)index\.[tj]s$/.test(file.path)) say(0, 'an index file', 'an index file hides where a thing lives');
  lines.forEach((line, index) => {
    const code = withoutComment(line);
    if (/^\s*export default\b/.test(code)) say(index, 'a default export', 'one name for one thing: named exports only');
    if (/^\s*(?:export\s+)?(?:const\s+)?enum\s/.test(code))
      say(index, 'an enum', 'type stripping cannot erase it: use a union of string literals');
    if (file.path.startsWith('core/') && CORE_GLOBALS.some((pattern) => pattern.test(code))) {
      say(
        index,
        `a global of the world: ${code.trim()}`,
        'core takes clock, randomness and everything of the world as arguments',
      );
    }
    if (!file.path.startsWith('core/gate/') && /\bPermit\.mint\(/.test(code)) {
      say(index, 'Permit.mint outside the gate', 'promise 1: forwarding needs a Permit, and only the gate makes one');
    }
    if (/\b(?:TODO|FIXME|XXX)\b(?!.*#\d)/.test(line))
      say(index, 'a left-over without an issue number', 'a promise nobody can find again');
  });
  return found;
}

function withoutComment(line: string): string {
  if (/^\s*(?:\*|\/\/|\/\*)/.test(line)) return '';
  return line.replace(/\s\/\/.*$/, '');
}

/** Import cycles between files, type-only imports left out (they are gone at run time). */
function cycles(files: readonly SourceFile[]): Violation[] {
  const edges = new Map(
    files.map((file) => [file.path, file.imports.filter((one) => !one.typeOnly).map((one) => one.to)]),
  );
  const done = new Set<string>();
  const found: Violation[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      const loop = [...trail.slice(trail.indexOf(path)), path].join(' -> ');
      found.push({
        file: path,
        line: 1,
        rule: `an import cycle: ${loop}`,
        why: 'files in a cycle can only be understood together',
      });
    } else if (!done.has(path)) {
      for (const next of edges.get(path) ?? []) walk(next, [...trail, path]);
      done.add(path);
    }
  };
  for (const path of edges.keys()) walk(path, []);
  return found;
}
