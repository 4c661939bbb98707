/** Names that mean something at the top of a bundle (OPA documentation, "Bundle File Format"). */
export const MANIFEST = '.manifest';
export const SIGNATURES = '.signatures.json';
export const PATCH = 'patch.json';
export const PLAN = 'plan.json';
export const MODULE = 'policy.wasm';
export const DATA = 'data.json';

/** A file that is merged into the data: folder and kind. */
export const DATA_FILE = /^(?:(.*)\/)?data\.(json|yaml|yml)$/;

/** Last segment of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
