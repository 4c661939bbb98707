import { loadConfig } from '../../../src/core/config/config.ts';
import { formatMistake } from '../../../src/core/config/mistake.ts';

import type { Config } from '../../../src/core/config/config.ts';
import type { ConfigMistake } from '../../../src/core/config/mistake.ts';

/** The smallest configuration that is complete, as plain data. */
export function minimal(): Record<string, unknown> {
  return {
    identity: { certificate: 'agent.pem', privateKey: 'agent.key', trustBundles: { 'example.org': 'example.org.pem' } },
    inbound: [{ listen: '127.0.0.1:8443', upstream: 'http://127.0.0.1:8080' }],
    policy: { bundle: 'policies' },
  };
}

/** `minimal()` with the value at a path such as `inbound.0.limits` replaced, as JSON text. */
export function minimalWith(changes: Readonly<Record<string, unknown>>): string {
  const root = minimal();
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split('/');
    let inner = root;
    for (const key of keys.slice(0, -1)) inner = (inner[key] ??= {}) as Record<string, unknown>;
    inner[keys.at(-1)!] = value;
  }
  return JSON.stringify(root, null, 2);
}

export function configOf(text: string, env: Record<string, string> = {}): Config {
  const loaded = loadConfig(text, env);
  if (!loaded.ok) throw new Error(loaded.error.map((mistake) => formatMistake('sample', mistake)).join('\n'));
  return loaded.value;
}

export function mistakesOf(text: string, env: Record<string, string> = {}): readonly ConfigMistake[] {
  const loaded = loadConfig(text, env);
  return loaded.ok ? [] : loaded.error;
}

/** A listener on `listen` before some agent on loopback. */
export function listener(listen: string): Record<string, unknown> {
  return { listen, upstream: 'http://127.0.0.1:1' };
}
