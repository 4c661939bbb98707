import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { parseCertificate } from '../../core/identity/certificate.ts';
import { encodePem, pemBlocks } from '../../core/identity/pem.ts';
import { parseSpiffeId } from '../../core/identity/spiffe-id.ts';
import { leafId } from '../../core/identity/svid-rules.ts';
import { createCsr } from '../../core/issuance/create-csr.ts';
import { generateKeyPair } from '../../core/issuance/signing-key.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { domainOf } from './ca-files.ts';
import { keyPath, writeKeyFile } from './key-files.ts';
import { issueToOperator } from './operator-issuing.ts';
import { storedRoots, storedSigners } from './signer-rows.ts';
import { writeWhole } from './whole-file.ts';

import type { KeyObject } from 'node:crypto';
import type { KeyKind } from '../../core/issuance/signing-key.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { CaDeps } from './issuing-ca.ts';
import type { EncodeKey } from './key-files.ts';
import type { OperatorRequest } from './operator-issuing.ts';

/** Whose key is certified: a new one, which is written beside the certificate, or one that lives elsewhere and asks with a request. */
export type IssuedKey =
  | { readonly kind: 'new'; readonly keyKind: KeyKind; readonly encodeKey?: EncodeKey | undefined }
  | { readonly kind: 'elsewhere'; readonly csr: Uint8Array };

/** Where a certificate is written: `OUT/NAME.pem` and `OUT/NAME.key`. */
export type IssueTarget = {
  /** Default: the folder of the authority. */
  readonly out?: string | undefined;
  /** Default: the last part of the ID. */
  readonly name?: string | undefined;
  /** Write over what is there. */
  readonly force?: boolean;
};

/** What was written. */
export type IssuedFiles = {
  readonly id: string;
  /** Leaf first, then the issuing CA. */
  readonly certificate: string;
  /** Undefined where the key lives elsewhere. */
  readonly privateKey: string | undefined;
  readonly serial: string;
  readonly notAfter: string;
};

/**
 * Issues a certificate to the operator (`issueToOperator`) and writes it down, with its key. Nothing is issued where files of another identity, or
 * of the authority, would be written over. The error is for the operator.
 */
export async function issueFiles(
  store: AuthorityStore,
  wanted: OperatorRequest,
  key: IssuedKey,
  target: IssueTarget,
  deps: CaDeps,
): Promise<Result<IssuedFiles, string>> {
  const id = parseSpiffeId(wanted.id);
  if (!id.ok) return err(id.error.detail);
  const out = target.out ?? store.folder;
  const base = join(out, target.name ?? id.value.path.split('/').at(-1) ?? '');
  const taken = ownFile(store, base) ?? (target.force === true ? undefined : await takenBy(base, wanted.id));
  if (taken !== undefined) return err(taken);
  const asked = await requestOf(key);
  const issued = await issueToOperator(store, wanted, asked.csr, deps);
  if (!issued.ok) return issued;
  const { chain, serial, notAfterMs } = issued.value;
  try {
    await mkdir(out, { recursive: true });
    if (asked.privateKey !== undefined) await writeKeyFile(`${base}.key`, asked.privateKey, asked.encodeKey);
    await writeWhole(`${base}.pem`, chain.map((der) => encodePem('CERTIFICATE', der)).join(''), 0o644);
  } catch (error) {
    return err(error instanceof Error ? error.message : `${base}.pem cannot be written`);
  }
  return ok({
    id: wanted.id,
    certificate: `${base}.pem`,
    privateKey: asked.privateKey && `${base}.key`,
    serial,
    notAfter: new Date(notAfterMs).toISOString(),
  });
}

type Asked = {
  readonly csr: Uint8Array;
  readonly privateKey?: KeyObject | undefined;
  readonly encodeKey?: EncodeKey | undefined;
};

async function requestOf(key: IssuedKey): Promise<Asked> {
  if (key.kind === 'elsewhere') return { csr: key.csr };
  const { privateKey } = generateKeyPair(key.keyKind);
  return { csr: await createCsr(privateKey), privateKey, encodeKey: key.encodeKey };
}

/** Why files of that name must never be written over: they are the authority's own. */
function ownFile(store: AuthorityStore, base: string): string | undefined {
  const trustDomain = domainOf(store);
  const keys = store.read((database) =>
    [...storedRoots(database), ...storedSigners(database)].map(({ keyReference }) => keyReference),
  );
  if (!trustDomain.ok) return trustDomain.error;
  if (!keys.ok) return keys.error;
  const bundle = join(store.folder, trustDomain.value);
  const own = [
    `${bundle}.pem`,
    `${bundle}.crl.pem`,
    ...keys.value.map((reference) => keyPath(store.folder, reference)),
  ];
  const hit = [`${base}.pem`, `${base}.key`].find((path) => own.some((one) => resolve(one) === resolve(path)));
  return hit && `${hit} is a file of the authority itself; choose another --name`;
}

/** Why a certificate for `id` must not be written over what stands there: renewing one's own is fine. */
async function takenBy(base: string, id: string): Promise<string | undefined> {
  const other = '; choose another --name, or --force';
  let text: string;
  try {
    text = await readFile(`${base}.pem`, 'utf8');
  } catch {
    return existsSync(`${base}.key`) ? `${base}.key is there already, without its certificate${other}` : undefined;
  }
  const blocks = pemBlocks(text);
  const leaf = blocks.ok && blocks.value[0] !== undefined ? parseCertificate(blocks.value[0].der) : undefined;
  const standing = leaf?.ok === true ? leafId(leaf.value) : undefined;
  if (standing?.ok !== true) return `${base}.pem is there already and is no certificate of a workload${other}`;
  return standing.value.id === id ? undefined : `${base}.pem is the certificate of ${standing.value.id}${other}`;
}
