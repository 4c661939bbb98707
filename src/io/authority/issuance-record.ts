import { quote } from '../../core/record/json-text.ts';

import type { Attestation, IssuanceFault } from '../../core/model/svid.ts';

/** How a caller proved its right; `own`: the authority's own certificate. */
export type Method = Attestation['kind'] | 'own';

/** Who asked, as far as it is known. */
export type Caller = {
  readonly method: Method;
  /** Remote address; empty for the authority itself. */
  readonly source: string;
  /** What a join token is known by in the log: the first 12 digits of its hash. */
  readonly token?: string | undefined;
  readonly serviceAccount?: string | undefined;
  readonly pod?: { readonly name: string; readonly uid: string } | undefined;
  /** Serial of the certificate that was to be renewed. */
  readonly renews?: string | undefined;
};

/** One event in the life of an authority, as the issuance log has it. No tokens, no keys. */
export type IssuanceRecord = { readonly atMs: number } & (
  | {
      readonly event: 'issued';
      readonly caller: Caller;
      readonly spiffeId: string;
      readonly serial: string;
      readonly spkiSha256: string;
      readonly notBeforeMs: number;
      readonly notAfterMs: number;
    }
  | {
      readonly event: 'refused';
      readonly caller: Caller;
      readonly spiffeId: string | undefined;
      readonly fault: IssuanceFault;
    }
  | { readonly event: 'revoked'; readonly spiffeId: string; readonly serial: string; readonly reason: string }
  | { readonly event: 'barred' | 'unbarred'; readonly kind: 'id' | 'key' | 'bearer'; readonly value: string }
  | { readonly event: 'token-made'; readonly spiffeId: string; readonly token: string; readonly expiresMs: number }
  | {
      readonly event: 'root-added' | 'root-activated' | 'root-retired' | 'issuer-added' | 'issuer-revoked';
      /** SHA-256 of the certificate's DER. */
      readonly sha256: string;
    }
);

const MAX_DETAIL = 1_024;

/** The record as one line of JSON up to the members `prev` and `hash` that `sealLine` adds: the object `sallyport` is still open. */
export function encodeIssuanceRecord(record: IssuanceRecord): string {
  const members = membersOf(record)
    .filter((member) => member[1] !== undefined)
    .map(([name, value = '']) => `"${name}":${quote(value, MAX_DETAIL)},`);
  return `{"event":"${record.event}","timestamp":"${time(record.atMs)}","sallyport":{${members.join('')}`;
}

type Member = readonly [name: string, value: string | undefined];

function membersOf(record: IssuanceRecord): readonly Member[] {
  switch (record.event) {
    case 'issued':
      return [
        ...callerMembers(record.caller),
        ['spiffe_id', record.spiffeId],
        ['serial', record.serial],
        ['spki_sha256', record.spkiSha256],
        ['not_before', time(record.notBeforeMs)],
        ['not_after', time(record.notAfterMs)],
      ];
    case 'refused': {
      const { kind, detail } = record.fault;
      return [...callerMembers(record.caller), ['spiffe_id', record.spiffeId], ['fault', kind], ['detail', detail]];
    }
    case 'revoked':
      return [
        ['spiffe_id', record.spiffeId],
        ['serial', record.serial],
        ['reason', record.reason],
      ];
    case 'barred':
    case 'unbarred':
      return [
        ['kind', record.kind],
        ['value', record.value],
      ];
    case 'token-made':
      return [
        ['spiffe_id', record.spiffeId],
        ['token', record.token],
        ['expires', time(record.expiresMs)],
      ];
    case 'root-added':
    case 'root-activated':
    case 'root-retired':
    case 'issuer-added':
    case 'issuer-revoked':
      return [['sha256', record.sha256]];
    default:
      return record satisfies never;
  }
}

function callerMembers(caller: Caller): readonly Member[] {
  return [
    ['method', caller.method],
    ['source', caller.source === '' ? undefined : caller.source],
    ['token', caller.token],
    ['service_account', caller.serviceAccount],
    ['pod', caller.pod?.name],
    ['pod_uid', caller.pod?.uid],
    ['renews', caller.renews],
  ];
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
