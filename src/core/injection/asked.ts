import type { InjectionSettings } from '../model/injection.ts';

/** How a port of the agent is spoken to: `auto` tells HTTP/1.1 from HTTP/2 by the call, `tcp` is bytes after a decision on the connection. */
export const PROTOCOLS = ['auto', 'http', 'http2', 'grpc', 'tcp'] as const;

/** What an agent's port speaks; `auto`: gRPC by HTTP/2, the rest by HTTP/1.1. */
export type Protocol = (typeof PROTOCOLS)[number];

/** A port as an annotation names it: by number, or by the name it has in a container. */
export type PortWish = { readonly port: number | string; readonly protocol?: Protocol | undefined };

/** What is to be injected into one pod: the platform's settings, changed by the annotations that the platform lets through. */
export type Asked = {
  readonly settings: InjectionSettings;
  /** What `ports` says; undefined where the declared ports of the containers count. */
  readonly ports?: readonly PortWish[] | undefined;
  /** Of ports that say nothing themselves, by annotation or by name. */
  readonly protocol?: Protocol | undefined;
  /** Ports that stay open past the sidecar. */
  readonly open: readonly (number | string)[];
};
