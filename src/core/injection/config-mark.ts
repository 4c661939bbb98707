import { createHash } from 'node:crypto';

import { stableJson } from './json-value.ts';

import type { InjectionFacts, InjectionSettings } from '../model/injection.ts';

/** `sha256:…` over everything of the platform that an injection depends on: two pods with the same mark and the same wishes got the same sidecar. */
export function configMark(settings: InjectionSettings, facts: InjectionFacts): string {
  return `sha256:${createHash('sha256').update(stableJson({ settings, facts })).digest('hex')}`;
}
