import { probeGrpc, type GrpcTarget } from './grpc-probe.ts';
import { probeHttp, type HttpTarget } from './http-probe.ts';
import { probeTcp } from './tcp-probe.ts';
import { unwell, type ProbeVerdict } from './verdict.ts';

/** How one probe of the agent is asked: exactly one of `http`, `grpc` and `tcp`. */
export type TargetConfig = {
  readonly http?: HttpTarget | undefined;
  readonly grpc?: GrpcTarget | undefined;
  readonly tcp?: { readonly port: number } | undefined;
  /** Milliseconds. */
  readonly timeout: number;
};

/** Hears when what a probe finds changes. */
export type Told = (name: string, verdict: ProbeVerdict) => void;

/** One probe of the agent. Whoever asks while it is being made gets the same answer, so that nobody can make us ask the agent more than once at a time. */
export class Target {
  readonly #name: string;
  readonly #config: TargetConfig;
  readonly #told: Told;
  #running: Promise<ProbeVerdict> | undefined;
  #last: string | undefined;

  constructor(name: string, config: TargetConfig, told: Told) {
    this.#name = name;
    this.#config = config;
    this.#told = told;
  }

  /** `podAddress`: by which address of the pod it was asked for. Never rejects. */
  ask(podAddress: string): Promise<ProbeVerdict> {
    this.#running ??= this.#probe(podAddress).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #probe(podAddress: string): Promise<ProbeVerdict> {
    const verdict = await this.#attempt(podAddress).catch((error: unknown) => unwell(String(error)));
    const said = verdict.ok ? '' : verdict.why;
    if (said !== this.#last) this.#told(this.#name, verdict);
    this.#last = said;
    return verdict;
  }

  async #attempt(podAddress: string): Promise<ProbeVerdict> {
    const { http, grpc, tcp, timeout } = this.#config;
    if (http !== undefined) return probeHttp(http, timeout, podAddress);
    if (grpc !== undefined) return probeGrpc(grpc, timeout);
    return tcp === undefined ? unwell('no way to ask is configured') : probeTcp(tcp.port, timeout);
  }
}
