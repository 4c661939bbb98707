import { assemble } from './bundle.ts';
import { DATA, DATA_FILE, MANIFEST, SIGNATURES } from './bundle-files.ts';
import { parseExactJson } from './exact-json.ts';
import { refuse, show } from './fault.ts';
import { utf8 } from './member-name.ts';
import { patchData } from './patch-data.ts';
import { isPlainObject } from './plain-object.ts';
import { checkFiles } from './verified-files.ts';

import type { Result } from '../kernel/result.ts';
import type { Bundle } from './bundle.ts';
import type { DeltaBundle } from './delta.ts';
import type { BundleFault } from './fault.ts';
import type { BundleLimits } from './limits.ts';
import type { Files } from './tar-reader.ts';

/**
 * The bundle that `snapshot` becomes by `delta`: other data, revision, sequence and metadata, the same policy. All operations or none: the snapshot stays as it is.
 * Roots and modules must be the snapshot's (`delta_not_of_snapshot`), as OPA has it; and where both have a sequence the delta's must be the next, or say as
 * `base` what it was made for, so that none can be left out on the way. `limits` bound the result as they bound any bundle.
 */
export function applyDelta(snapshot: Bundle, delta: DeltaBundle, limits?: BundleLimits): Result<Bundle, BundleFault> {
  const strange = mismatch(snapshot, delta);
  if (strange !== undefined) return refuse('delta_not_of_snapshot', strange);
  let data: object = objectOf(snapshot.dataJson);
  for (const [index, operation] of delta.operations.entries()) {
    const patched = patchData(data, operation);
    if (typeof patched === 'string')
      return refuse(
        'delta_target_missing',
        `patch.json: data.${index}: ${patched}; the delta was made for other data: deliver a whole bundle`,
      );
    data = patched;
  }
  const files = new Map([...snapshot.files].filter(([path]) => path !== SIGNATURES && !DATA_FILE.test(path)));
  const text = new TextEncoder();
  files.set(DATA, text.encode(JSON.stringify(data)));
  const manifest = manifestAfter(snapshot.files, delta.files);
  if (manifest !== undefined) files.set(MANIFEST, text.encode(JSON.stringify(manifest)));
  const checked = checkFiles(files, { limits });
  return checked.ok ? assemble({ files: checked.value.files, signer: delta.signer }) : checked;
}

/** Says what of the snapshot the delta was not made for. */
function mismatch(snapshot: Bundle, delta: DeltaBundle): string | undefined {
  const [own, theirs] = [snapshot.manifest, delta.manifest];
  if (listed(own.roots) !== listed(theirs.roots))
    return `the delta's roots are ${listed(theirs.roots)}, those in force ${listed(own.roots)}; write the same into the delta's .manifest, or deliver a whole bundle`;
  if (JSON.stringify(own.wasm) !== JSON.stringify(theirs.wasm))
    return "wasm in the delta's .manifest is not that of the bundle in force; write the same, or deliver a whole bundle";
  const { sequence } = snapshot;
  if (sequence === undefined || delta.sequence === undefined || delta.sequence <= sequence) return undefined;
  const base = theirs.sallyport.base ?? delta.sequence - 1;
  if (base === sequence) return undefined;
  return `the delta changes the sequence ${base} to ${delta.sequence}, and ${sequence} is in force: a delta between was left out; deliver it first, or a whole bundle`;
}

function listed(roots: readonly string[]): string {
  return [...roots].sort().map(show).join(', ');
}

/** The snapshot's manifest with the delta's revision and metadata; what is said about the policy in `metadata.sallyport` stays. */
function manifestAfter(snapshot: Files, delta: Files): object | undefined {
  const own = rawManifest(snapshot);
  const theirs = rawManifest(delta);
  if (own === undefined && theirs === undefined) return undefined;
  const { sequence: _old, base: _older, ...tie } = sallyportOf(own);
  const { sequence } = sallyportOf(theirs);
  const { revision: _revision, ...rest } = own ?? {};
  const metadata = {
    ...objectIn(theirs, 'metadata'),
    sallyport: { ...tie, ...(sequence === undefined ? {} : { sequence }) },
  };
  return { ...rest, ...(theirs?.['revision'] === undefined ? {} : { revision: theirs['revision'] }), metadata };
}

type Raw = Readonly<Record<string, unknown>>;

function rawManifest(files: Files): Raw | undefined {
  const bytes = files.get(MANIFEST);
  return bytes === undefined ? undefined : objectOf(utf8(bytes) ?? '');
}

function sallyportOf(manifest: Raw | undefined): Raw {
  return objectIn(objectIn(manifest, 'metadata'), 'sallyport');
}

function objectIn(value: Raw | undefined, key: string): Raw {
  const inner = value?.[key];
  return isPlainObject(inner) ? inner : {};
}

/** Text that was read before. */
function objectOf(json: string): Raw {
  const value = parseExactJson(json)?.value;
  return isPlainObject(value) ? value : {};
}
