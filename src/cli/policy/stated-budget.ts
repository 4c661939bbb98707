import { readManifest } from '../../core/bundle/manifest.ts';

/** Most steps of a test, as the manifest of a policy states them (`metadata.sallyport.budget`); undefined where it states none. */
export function statedBudget(files: Readonly<Record<string, Uint8Array>>): number | undefined {
  const manifest = readManifest(new TextDecoder().decode(files['.manifest'] ?? Buffer.from('{}')));
  const stated = manifest.ok ? manifest.value.metadata['sallyport'] : undefined;
  const budget = typeof stated === 'object' && stated !== null && 'budget' in stated ? stated.budget : undefined;
  return typeof budget === 'number' && Number.isSafeInteger(budget) && budget > 0 ? budget : undefined;
}
