import { access, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { parseCertificate } from '../../core/identity/certificate.ts';
import { encodePem, pemBlocks } from '../../core/identity/pem.ts';
import { parseSpiffeId, parseTrustDomain } from '../../core/identity/spiffe-id.ts';
import { leafId } from '../../core/identity/svid-rules.ts';
import { createAuthority, openAuthority } from '../../core/issuance/authority.ts';
import { makeCrl } from '../../core/issuance/crl.ts';
import { issueLeaf } from '../../core/issuance/leaf.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { appendEvent, readEvents } from './authority-log.ts';
import { domainServedFrom } from './ca-files.ts';
import { writeWhole } from './whole-file.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { Authority } from '../../core/issuance/authority.ts';
import type { LeafRequest } from '../../core/issuance/leaf.ts';
import type { IssuanceDeps } from '../../core/issuance/deps.ts';
import type { AuthorityEvent } from './authority-log.ts';

/** `refused`: what was asked for is not to be done; `failed`: files could not be read or written. */
export type AuthorityFault = { readonly kind: 'refused' | 'failed'; readonly detail: string };

/** What `init` wrote. */
export type InitFiles = { readonly trustBundle: string; readonly privateKey: string; readonly revocationList: string };

/** What `issue` wrote. */
export type IssuedFiles = {
  readonly id: string;
  readonly certificate: string;
  readonly privateKey: string;
  readonly serial: string;
  readonly notAfter: string;
};

/** Where a leaf is written: `OUT/NAME.pem` and `OUT/NAME.key`; `name` defaults to the last part of the ID. */
export type IssueTarget = {
  readonly out?: string | undefined;
  readonly name?: string | undefined;
  readonly force: boolean;
};

/**
 * A folder of development authorities. Nothing is read or written before a method is called. Once `adoptAuthorityFolder` has taken one up, it is
 * refused here: its state is the database then.
 */
export interface AuthorityFolder {
  /** Makes the authority of a trust domain; refuses where there is one, unless forced. `ttlMs`: life of the root, milliseconds. */
  init(trustDomain: string, ttlMs: number, force: boolean): Promise<Result<InitFiles, AuthorityFault>>;
  issue(request: LeafRequest, target: IssueTarget): Promise<Result<IssuedFiles, AuthorityFault>>;
  /** Revokes by serial, or all that was issued for an ID, and signs a new list. Gives the serials. */
  revoke(
    trustDomain: string,
    which: { readonly serial: string } | { readonly id: string },
  ): Promise<Result<{ readonly serials: readonly string[]; readonly revocationList: string }, AuthorityFault>>;
  /** Signs a new list of what is revoked; due again after `ttlMs` milliseconds. */
  crl(
    trustDomain: string,
    ttlMs: number,
  ): Promise<Result<{ readonly revocationList: string; readonly entries: number }, AuthorityFault>>;
}

/** Life of a revocation list, milliseconds: 30 days. */
export const DEFAULT_CRL_TTL_MS = 2_592_000_000;

const SERVED = 'is the state of an authority at work: what is done to its files alone would not be known to it';

/** Creates the authority over a folder. */
export function createAuthorityFolder(folder: string, deps: IssuanceDeps): AuthorityFolder {
  return new Folder(folder, deps);
}

class Folder implements AuthorityFolder {
  readonly #folder: string;
  readonly #deps: IssuanceDeps;

  constructor(folder: string, deps: IssuanceDeps) {
    this.#folder = folder;
    this.#deps = deps;
  }

  init(trustDomain: string, ttlMs: number, force: boolean): Promise<Result<InitFiles, AuthorityFault>> {
    return guarded(async () => {
      if (!isFileName(trustDomain)) return refused(`no trust domain: ${JSON.stringify(trustDomain)}`);
      if (domainServedFrom(this.#folder) === trustDomain) return refused(`${this.#folder} ${SERVED}`);
      const authority = await createAuthority(trustDomain, ttlMs, this.#deps);
      if (!authority.ok) return refused(authority.error);
      const files = this.#files(trustDomain);
      if (!force && (await exists(files.key)))
        return refused(`${files.key} is there already; --force replaces it, and what it signed is worth nothing then`);
      await mkdir(this.#folder, { recursive: true });
      await writeWhole(files.key, authority.value.privateKeyPem, 0o600);
      await writeWhole(files.bundle, authority.value.certificatePem, 0o644);
      await writeWhole(files.log, '', 0o600);
      const list = await this.#writeList(authority.value, [], DEFAULT_CRL_TTL_MS);
      return list.ok ? ok({ trustBundle: files.bundle, privateKey: files.key, revocationList: files.crl }) : list;
    });
  }

  issue(request: LeafRequest, target: IssueTarget): Promise<Result<IssuedFiles, AuthorityFault>> {
    return guarded(async () => {
      const id = parseSpiffeId(request.id);
      if (!id.ok) return refused(id.error.detail);
      const authority = await this.#open(id.value.trustDomain);
      if (!authority.ok) return authority;
      const issued = await issueLeaf(authority.value, request, this.#deps);
      if (!issued.ok) return refused(issued.error);
      const out = target.out ?? this.#folder;
      const base = join(out, target.name ?? id.value.path.split('/').at(-1) ?? 'agent');
      const taken = target.force ? undefined : await takenBy(`${base}.pem`, request.id);
      if (taken !== undefined) return refused(`${base}.pem ${taken}; choose another --name, or --force`);
      const { serial, certificatePem, privateKeyPem } = issued.value;
      const notAfter = new Date(issued.value.notAfterMs).toISOString();
      await appendEvent(this.#files(id.value.trustDomain).log, {
        event: 'issued',
        at: this.#now(),
        serial,
        id: request.id,
        notAfter,
      });
      await mkdir(out, { recursive: true });
      await writeWhole(`${base}.key`, privateKeyPem, 0o600);
      await writeWhole(`${base}.pem`, certificatePem, 0o644);
      return ok({ id: request.id, certificate: `${base}.pem`, privateKey: `${base}.key`, serial, notAfter });
    });
  }

  revoke(trustDomain: string, which: { readonly serial: string } | { readonly id: string }) {
    return guarded(async () => {
      const authority = await this.#open(trustDomain);
      if (!authority.ok) return authority;
      const files = this.#files(trustDomain);
      const events = await readEvents(files.log);
      if (!events.ok) return failed(events.error);
      const serials = serialsOf(events.value, which);
      if (serials.length === 0)
        return refused(
          `${files.log} knows no certificate that is not revoked yet with that ${'id' in which ? 'ID' : 'serial'}`,
        );
      const added = serials.map((serial): AuthorityEvent => ({ event: 'revoked', at: this.#now(), serial }));
      for (const entry of added) await appendEvent(files.log, entry);
      const list = await this.#writeList(authority.value, [...events.value, ...added], DEFAULT_CRL_TTL_MS);
      return list.ok ? ok({ serials, revocationList: files.crl }) : list;
    });
  }

  crl(trustDomain: string, ttlMs: number) {
    return guarded(async () => {
      const authority = await this.#open(trustDomain);
      if (!authority.ok) return authority;
      const events = await readEvents(this.#files(trustDomain).log);
      if (!events.ok) return failed(events.error);
      const list = await this.#writeList(authority.value, events.value, ttlMs);
      return list.ok ? ok({ revocationList: this.#files(trustDomain).crl, entries: list.value }) : list;
    });
  }

  /** Signs and writes the list; its number is the time in seconds, which only grows (RFC 5280 5.2.3). Gives the number of entries. */
  async #writeList(
    authority: Authority,
    events: readonly AuthorityEvent[],
    ttlMs: number,
  ): Promise<Result<number, AuthorityFault>> {
    const revoked = events
      .filter((entry) => entry.event === 'revoked')
      .map(({ serial, at }) => ({ serial, atMs: Date.parse(at) }));
    const number = Math.floor(this.#deps.clock.wallMs() / 1_000);
    const list = await makeCrl(authority.signer, { revoked, number, ttlMs }, this.#deps);
    if (!list.ok) return refused(list.error);
    await writeWhole(this.#files(authority.trustDomain).crl, encodePem('X509 CRL', list.value), 0o644);
    return ok(revoked.length);
  }

  async #open(trustDomain: string): Promise<Result<Authority, AuthorityFault>> {
    if (!isFileName(trustDomain)) return refused(`no trust domain: ${JSON.stringify(trustDomain)}`);
    const files = this.#files(trustDomain);
    if (domainServedFrom(this.#folder) === trustDomain) return refused(`${this.#folder} ${SERVED}`);
    if (!(await exists(files.key))) {
      return refused(
        `there is no authority of ${trustDomain} in ${this.#folder}; \`sallyport ca init --trust-domain ${trustDomain}\` makes one`,
      );
    }
    const [bundle, key] = await Promise.all([readFile(files.bundle, 'utf8'), readFile(files.key, 'utf8')]);
    const authority = await openAuthority(trustDomain, bundle, key, this.#deps.clock.wallMs());
    return authority.ok ? authority : failed(`${files.key}: ${authority.error}`);
  }

  #files(trustDomain: string) {
    const base = join(this.#folder, trustDomain);
    return { bundle: `${base}.pem`, key: `${base}.key`, crl: `${base}.crl.pem`, log: `${base}.log.jsonl` };
  }

  #now(): string {
    return new Date(this.#deps.clock.wallMs()).toISOString();
  }
}

/** Serials that were issued and are not revoked yet. Separators and case in a serial do not matter. */
function serialsOf(
  events: readonly AuthorityEvent[],
  which: { readonly serial: string } | { readonly id: string },
): readonly string[] {
  const revoked = new Set(events.filter((entry) => entry.event === 'revoked').map(({ serial }) => serial));
  const wanted = 'serial' in which ? which.serial.replaceAll(/[:\s]/g, '').toLowerCase() : undefined;
  const serials = events
    .filter((entry) => entry.event === 'issued')
    .filter((entry) => ('id' in which ? entry.id === which.id : entry.serial === wanted))
    .map(({ serial }) => serial);
  return serials.filter((serial) => !revoked.has(serial));
}

/** Why a leaf for `id` must not be written over what stands at `path`: renewing one's own certificate is fine. */
async function takenBy(path: string, id: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
  const blocks = pemBlocks(text);
  const leaf = blocks.ok && blocks.value[0] !== undefined ? parseCertificate(blocks.value[0].der) : undefined;
  const standing = leaf?.ok === true ? leafId(leaf.value) : undefined;
  if (standing?.ok !== true) return 'is there already and is no certificate of a workload';
  return standing.value.id === id ? undefined : `is the certificate of ${standing.value.id}`;
}

/** True for a trust domain that can be the beginning of a file's name in the folder, and lead nowhere else. */
function isFileName(trustDomain: string): boolean {
  return parseTrustDomain(trustDomain).ok && !trustDomain.startsWith('.');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function refused(detail: string): Result<never, AuthorityFault> {
  return err({ kind: 'refused', detail });
}

function failed(detail: string): Result<never, AuthorityFault> {
  return err({ kind: 'failed', detail });
}

/** Turns what the file system throws into a fault. */
async function guarded<T>(action: () => Promise<Result<T, AuthorityFault>>): Promise<Result<T, AuthorityFault>> {
  try {
    return await action();
  } catch (error) {
    return failed(error instanceof Error ? error.message : 'failed');
  }
}
