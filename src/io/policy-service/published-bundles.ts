import type { BuiltBundle } from './bundle-build.ts';
import type { Parts } from './taken-parts.ts';

/** A bundle, and what it was made of. */
export type PublishedBundle = BuiltBundle & { readonly parts: Parts };

/** What a request for a bundle finds. */
export type Found =
  | { readonly kind: 'bundle'; readonly bundle: PublishedBundle }
  /** There is none, and there is not meant to be one. */
  | { readonly kind: 'none' }
  /** There should be one, and none was good so far. */
  | { readonly kind: 'later' };

/** Which bundle: the namespace, and whether its candidate. */
export type BundleName = { readonly namespace: string; readonly candidate: boolean };

type Waiter = (found: Found) => void;
type Slot = { bundle: PublishedBundle | undefined; readonly waiters: Set<Waiter> };

/** The bundles that are served, and who waits for another one. Nothing is known of any namespace until the first `expect`. */
export class PublishedBundles {
  readonly #slots = new Map<string, Slot>();
  #known = false;

  /** These are meant to be there, and no others: what else was served is forgotten, and whoever waited for it is told. */
  expect(names: readonly BundleName[]): void {
    this.#known = true;
    const keys = new Set(names.map(keyOf));
    for (const key of keys) if (!this.#slots.has(key)) this.#slots.set(key, { bundle: undefined, waiters: new Set() });
    for (const [key, slot] of this.#slots) {
      if (keys.has(key)) continue;
      this.#slots.delete(key);
      tell(slot, { kind: 'none' });
    }
  }

  /** Serves a bundle from now on; whoever waits gets it, unless it is the same made of other parts. */
  publish(name: BundleName, bundle: PublishedBundle): void {
    const slot = this.#slots.get(keyOf(name));
    if (slot === undefined) return;
    const isSame = slot.bundle?.revision === bundle.revision;
    slot.bundle = bundle;
    if (!isSame) tell(slot, { kind: 'bundle', bundle });
  }

  find(name: BundleName): Found {
    if (!this.#known) return { kind: 'later' };
    const slot = this.#slots.get(keyOf(name));
    if (slot === undefined) return { kind: 'none' };
    return slot.bundle === undefined ? { kind: 'later' } : { kind: 'bundle', bundle: slot.bundle };
  }

  /** Calls once, when what `find` says changes; not after it was cancelled by the function returned. */
  wait(name: BundleName, told: Waiter): () => void {
    const waiters = this.#slots.get(keyOf(name))?.waiters;
    waiters?.add(told);
    return () => waiters?.delete(told);
  }

  /** How many wait for another bundle of this name. */
  waiting(name: BundleName): number {
    return this.#slots.get(keyOf(name))?.waiters.size ?? 0;
  }

  revision(name: BundleName): string | undefined {
    return this.#slots.get(keyOf(name))?.bundle?.revision;
  }
}

function tell({ waiters }: Slot, found: Found): void {
  const all = [...waiters];
  waiters.clear();
  for (const told of all) told(found);
}

function keyOf({ namespace, candidate }: BundleName): string {
  return `${namespace}/${candidate ? 'candidate' : ''}`;
}
