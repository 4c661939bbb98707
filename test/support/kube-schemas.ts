import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { Ajv2020 } from 'ajv/dist/2020.js';

import { fetchWheel } from './pinned-wheel.ts';

/*
 * The JSON Schemas of Kubernetes, offline. They come from a wheel of PyPI, whose digest is pinned, into this user's cache:
 * `node test/support/kube-schemas.ts fetch` (22 MB, of which 2 are kept). Nothing fetches them by itself.
 */

const WHEEL = {
  name: 'kubernetes-validate',
  version: '1.37.0',
  sha256: '85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9',
  file: 'kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict/_definitions.json',
} as const;

const cacheHome = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
const SCHEMAS = join(
  cacheHome,
  'sallyport',
  'kubernetes',
  `schemas-${WHEEL.version}-${WHEEL.sha256.slice(0, 12)}.json`,
);

/** Why nothing can be validated here, and what to do; undefined where it can. */
export const NO_SCHEMAS = existsSync(SCHEMAS)
  ? undefined
  : `the schemas of Kubernetes ${WHEEL.version} are not in ${SCHEMAS}; fetch them: npx node test/support/kube-schemas.ts fetch`;

export type KubeObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Record<string, string>;
  };
};

/** What is wrong with an object by its schema, unknown keys included; undefined for a kind that Kubernetes itself does not have. */
export type KubeValidator = (object: KubeObject) => readonly string[] | undefined;

type GroupVersionKind = { readonly group: string; readonly version: string; readonly kind: string };

/** Reads the schemas once; a kind is compiled when it is first seen. */
export function kubeValidator(): KubeValidator {
  const { $defs, $id } = JSON.parse(readFileSync(SCHEMAS, 'utf8')) as { $id: string; $defs: Record<string, object> };
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id, $defs });
  const names = new Map(Object.entries($defs).flatMap(([name, schema]) => kindsOf(schema).map((kind) => [kind, name])));
  return (object) => {
    const name = names.get(`${object.apiVersion}/${object.kind}`);
    if (name === undefined) return undefined;
    const validate = ajv.getSchema(`${$id}#/$defs/${name}`);
    if (validate === undefined) throw new Error(`no schema ${name}`);
    return validate(object) === true
      ? []
      : (validate.errors ?? []).map(
          ({ instancePath, message, params }) => `${instancePath}: ${message ?? ''} ${JSON.stringify(params)}`,
        );
  };
}

function kindsOf(schema: object): readonly string[] {
  const kinds = (schema as { 'x-kubernetes-group-version-kind'?: readonly GroupVersionKind[] })[
    'x-kubernetes-group-version-kind'
  ];
  return (kinds ?? []).map(({ group, version, kind }) => `${group === '' ? '' : `${group}/`}${version}/${kind}`);
}

async function fetchSchemas(): Promise<void> {
  const run = promisify(execFile);
  const work = await mkdtemp(join(tmpdir(), 'sallyport-kube-schemas-'));
  const inWork = { cwd: work, timeout: 300_000 } as const;
  try {
    const wheel = await fetchWheel(WHEEL, work, inWork.timeout);
    const extract = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract(sys.argv[2])';
    await run('python3', ['-c', extract, wheel, WHEEL.file], inWork);
    await mkdir(dirname(SCHEMAS), { recursive: true });
    await writeFile(`${SCHEMAS}.new-${process.pid}`, readFileSync(join(work, WHEEL.file)));
    await rename(`${SCHEMAS}.new-${process.pid}`, SCHEMAS);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

if (import.meta.main && process.argv[2] === 'fetch' && NO_SCHEMAS !== undefined) await fetchSchemas();
