import { portOfHost } from './destinations-annotation.ts';

import type { InjectionSettings } from '../model/injection.ts';
import type { PortPlan } from './guarded-ports.ts';
import type { RedirectPlan } from './redirect-plan.ts';

/** What the init container of a pod is to redirect. A destination without a port is captured at that of HTTP. */
export function redirectOfPod(settings: InjectionSettings, { guarded, open }: PortPlan): RedirectPlan {
  const { outbound, ports } = settings;
  const declared = Object.keys(outbound.destinations).map(portOfHost);
  return {
    uid: settings.uid,
    inbound: guarded.map(({ port, to }) => ({ port, to })),
    open,
    probe: ports.probe,
    ...(settings.metrics ? { metrics: ports.admin } : {}),
    outbound: {
      capture: outbound.capture,
      ports: outbound.capture === 'declared' ? [...new Set(declared)].toSorted((a, b) => a - b) : [],
      to: ports.outbound,
      excludePorts: outbound.excludePorts,
      excludeCidrs: outbound.excludeCidrs,
    },
  };
}
