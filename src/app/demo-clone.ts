import { existsSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { err, ok, type Result } from '../core/kernel/result.ts';

/** Absolute paths of what the demo runs. */
export type Clone = {
  /** The `sallyport` command's program. */
  readonly sallyport: string;
  readonly mcpServer: string;
  readonly grpcServer: string;
  readonly httpServer: string;
  readonly plannerServer: string;
  readonly proto: string;
  /** Folder of the demo's policy as Rego and data. */
  readonly policy: string;
};

/** Development dependencies whose absence would show only in the middle of the demo. */
const NEEDED: readonly string[] = [
  '@grpc/grpc-js',
  '@grpc/proto-loader',
  '@modelcontextprotocol/sdk/client/index.js',
  '@modelcontextprotocol/server-everything/dist/index.js',
];

/** Finds what the demo needs; the error is a sentence for the user: an installed package has neither examples nor development dependencies. */
export function locateClone(root: string = resolve(import.meta.dirname, '../..')): Result<Clone, string> {
  const clone: Clone = {
    sallyport: join(import.meta.dirname, '..', 'cli', `main${extname(import.meta.filename)}`),
    mcpServer: located('@modelcontextprotocol/server-everything/dist/index.js') ?? '',
    grpcServer: join(root, 'examples/grpc-agent/server.ts'),
    httpServer: join(root, 'examples/http-agent/server.ts'),
    plannerServer: join(root, 'examples/planner-agent/server.ts'),
    proto: join(root, 'examples/grpc-agent/weather.proto'),
    policy: join(root, 'examples/policy'),
  };
  const missing = [
    ...Object.values(clone).filter((path) => path !== '' && !existsSync(path)),
    ...NEEDED.filter((name) => located(name) === undefined),
  ];
  if (missing.length === 0) return ok(clone);
  return err(
    `sallyport: the demo runs from a clone of the repository, after \`npm ci\`; here it lacks ${missing.join(', ')}.`,
  );
}

function located(specifier: string): string | undefined {
  try {
    const path = fileURLToPath(import.meta.resolve(specifier));
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
