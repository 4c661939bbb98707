import { readPair } from './serving-state.ts';

import type { Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { ReadBoundedFile } from './api-credentials.ts';
import type { ServedCertificate, ServingSource } from './served-certificate.ts';

export type MountedSettings = {
  /** The chain, leaf first, PEM. */
  readonly certificate: string;
  /** Its key, PEM, not encrypted. */
  readonly privateKey: string;
  /** Between looks, milliseconds. Default 5,000; the kubelet brings a change of a mounted Secret within a minute or two. */
  readonly pollMs?: number | undefined;
};

export type MountedDeps = {
  readonly readFile: ReadBoundedFile;
  readonly timer: Timer;
  readonly log: {
    info(fields: Readonly<Record<string, unknown>>, message: string): void;
    warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  };
};

const DEFAULT_POLL_MS = 5_000;
const MAX_FILE = 1_048_576;

/**
 * A serving certificate that somebody else looks after (cert-manager, whose CA injector also fills `caBundle`): two mounted files, followed when they
 * change. Files that do not belong together, as in the middle of a change, leave the last good pair in force. Without effects until it is started.
 */
export function createMountedCertificate(settings: MountedSettings, deps: MountedDeps): ServingSource {
  return new MountedCertificate(settings, deps);
}

class MountedCertificate implements ServingSource {
  readonly trusted = undefined;
  readonly #settings: MountedSettings;
  readonly #deps: MountedDeps;
  readonly #listeners = new Set<(certificate: ServedCertificate) => void>();
  #served: ServedCertificate | undefined;
  #problem: string | undefined;
  #stopped = false;
  #running: Promise<void> | undefined;
  #wake: () => void = () => undefined;

  constructor(settings: MountedSettings, deps: MountedDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  start(): void {
    this.#running ??= this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#running;
  }

  current(): ServedCertificate | undefined {
    return this.#served;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  onChange(listener: (certificate: ServedCertificate) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #follow(): Promise<void> {
    while (!this.#stopped) {
      await this.#look();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const cancel = this.#deps.timer(this.#settings.pollMs ?? DEFAULT_POLL_MS, resolve);
      if (!this.#stopped) await promise;
      cancel();
    }
  }

  async #look(): Promise<void> {
    const read = await this.#read();
    const problem = read.ok ? undefined : read.error;
    if (problem !== undefined && problem !== this.#problem)
      this.#deps.log.warn({ problem }, 'serving certificate: the mounted files are no good; the last good ones stay');
    this.#problem = problem;
    if (!read.ok || this.#isServed(read.value)) return;
    this.#served = read.value;
    const until = new Date(read.value.notAfterMs).toISOString();
    this.#deps.log.info({ until }, 'serving certificate: a new one is served');
    for (const listener of this.#listeners) listener(read.value);
  }

  #isServed({ certificate, privateKey }: ServedCertificate): boolean {
    return this.#served?.certificate === certificate && this.#served.privateKey === privateKey;
  }

  async #read(): Promise<Result<ServedCertificate, string>> {
    const { certificate, privateKey } = this.#settings;
    const { readFile } = this.#deps;
    const [chain, key] = await Promise.all([readFile(certificate, MAX_FILE), readFile(privateKey, MAX_FILE)]);
    if (!chain.ok) return chain;
    if (!key.ok) return key;
    const decoder = new TextDecoder();
    return readPair(decoder.decode(chain.value.bytes), decoder.decode(key.value.bytes), certificate);
  }
}
