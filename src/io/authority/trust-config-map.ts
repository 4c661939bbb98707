import { encodePem } from '../../core/identity/pem.ts';
import { backOffMs } from '../../core/kernel/back-off.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { Random, Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import type { ApiServer } from './api-server.ts';

/** The ConfigMap that the roots are published in. Both names keep Kubernetes' rules: they stand in a path. */
export type TrustConfigMapSettings = { readonly namespace: string; readonly name: string };

export type TrustConfigMapDeps = {
  readonly api: Pick<ApiServer, 'ask'>;
  readonly trust: () => TrustDocument;
  /** The SPIFFE bundle (JWKS) of what is believed. */
  readonly formatBundle: (trust: TrustDocument) => string;
  readonly timer: Timer;
  readonly random: Random;
};

/** Publishes the roots of an authority in its own cluster. */
export interface TrustConfigMap {
  start(): void;
  /** The roots may have changed: those of now are written at once where they did. */
  changed(): void;
  stop(): void;
  /** True from the first time on that they were written. */
  readonly isPublished: boolean;
  /** Why what is in force now is not written, or could not be written again, or undefined. */
  readonly problem: string | undefined;
}

/** Owner of the fields in server-side apply. */
const MANAGER = 'sallyport-authority';
/** Written again after this, so that one that somebody changed or deleted is mended. An apply that changes nothing is no event for those who watch. */
const AGAIN_MS = 60_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;
const MAX_ANSWER = 4_194_304;

/**
 * Creates the publication without effects: keys `roots.pem` (all roots that are believed) and `bundle.json` (SPIFFE bundle), by server-side apply, at the start, at each
 * change and once a minute; with growing pauses while the API server is away. We have to be allowed to `patch` that ConfigMap by name, and to `create` it where nobody else makes it.
 */
export function createTrustConfigMap(settings: TrustConfigMapSettings, deps: TrustConfigMapDeps): TrustConfigMap {
  return new Publication(settings, deps);
}

class Publication implements TrustConfigMap {
  readonly #settings: TrustConfigMapSettings;
  readonly #deps: TrustConfigMapDeps;
  #cancel: (() => void) | undefined;
  #isWriting = false;
  #isStopped = true;
  #failures = 0;
  /** What was written last, as text. */
  #written: string | undefined;
  problem: string | undefined = undefined;

  constructor(settings: TrustConfigMapSettings, deps: TrustConfigMapDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  get isPublished(): boolean {
    return this.#written !== undefined;
  }

  start(): void {
    this.#isStopped = false;
    void this.#write();
  }

  changed(): void {
    if (this.#isStopped || this.#isWriting || JSON.stringify(this.#data()) === this.#written) return;
    void this.#write();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #data(): Readonly<Record<string, string>> {
    const trust = this.#deps.trust();
    const roots = [...trust.bundles.values()].flat();
    return {
      'roots.pem': roots.map((der) => encodePem('CERTIFICATE', der)).join(''),
      'bundle.json': this.#deps.formatBundle(trust),
    };
  }

  /** Writes what is in force now. What changes meanwhile is written right after. */
  async #write(): Promise<void> {
    this.#cancel?.();
    this.#isWriting = true;
    const data = this.#data();
    const done = await this.#apply(data);
    this.#isWriting = false;
    if (this.#isStopped) return;
    this.#failures = done.ok ? 0 : this.#failures + 1;
    this.problem = done.ok ? undefined : done.error;
    if (done.ok) this.#written = JSON.stringify(data);
    const isCurrent = JSON.stringify(this.#data()) === JSON.stringify(data);
    const pauseMs = done.ok
      ? isCurrent
        ? AGAIN_MS
        : 0
      : backOffMs(this.#failures, FIRST_RETRY_MS, LAST_RETRY_MS, this.#deps.random);
    this.#cancel = this.#deps.timer(pauseMs, () => void this.#write());
  }

  async #apply(data: Readonly<Record<string, string>>): Promise<Result<undefined, string>> {
    const { namespace, name } = this.#settings;
    const where = `ConfigMap ${namespace}/${name}`;
    const answer = await this.#deps.api.ask({
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}/configmaps/${name}?fieldManager=${MANAGER}&force=true`,
      // JSON is YAML. Nothing but the data is ours: labels are those of whoever made the object, such as Helm, which goes by them.
      contentType: 'application/apply-patch+yaml',
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data },
      maxBytes: MAX_ANSWER,
    });
    if (!answer.ok) return err(`${where}: ${answer.error}`);
    const { status } = answer.value;
    if (status === 200 || status === 201) return ok(undefined);
    return err(
      status === 403
        ? `${where}: we may not write it (403); let our service account \`patch\` it, and \`create\` it where it is missing`
        : `${where}: the API server answered ${status}`,
    );
  }
}
