import type { Target } from '../target.ts';
import { ENVOYS } from './envoy.ts';
import { NGINX } from './nginx.ts';
import { NODES } from './node.ts';
import { SALLYPORTS } from './sallyport.ts';

/** Every target there is, the reference first. */
export const ALL: readonly Target[] = [...ENVOYS, NGINX, ...NODES, ...SALLYPORTS];
