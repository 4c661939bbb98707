import { createHash } from 'node:crypto';

import { stableJson } from './json-value.ts';

import type { InjectionSettings } from '../model/injection.ts';

/**
 * `sha256:…` over the platform's settings and the injector's version: two pods with the same mark and the same wishes got the same sidecar. Not over the
 * roots: a sidecar learns of others from its authority, so that a pod of before a rotation is not outdated.
 */
export function configMark(settings: InjectionSettings, version: string): string {
  return `sha256:${createHash('sha256').update(stableJson({ settings, version })).digest('hex')}`;
}
