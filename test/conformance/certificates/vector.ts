import * as z from 'zod';

import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { err, ok } from '../../../src/core/kernel/result.ts';
import { FAULTS } from '../../../src/core/model/faults.ts';

import type { ChainQuestion } from '../../../src/core/identity/verify-chain.ts';
import type { FaultCode } from '../../../src/core/model/faults.ts';
import type { Result } from '../../../src/core/kernel/result.ts';

/** What a suite says of one chain. */
export type Vector = {
  readonly name: string;
  readonly question: ChainQuestion;
  readonly expect: 'accept' | 'reject';
  /** The fault that is expected, where the suite cares. */
  readonly fault: FaultCode | undefined;
};

/** DER in base64, or PEM of one or more. */
const encoded = z.array(z.string());

/** A vector as it is written. Keys that are not named here are mistakes. */
const written = z.strictObject({
  name: z.string().min(1),
  chain: encoded,
  bundle: encoded,
  crls: encoded.optional(),
  trustDomain: z.string().optional(),
  time: z.iso.datetime({ offset: true }),
  purpose: z.enum(['client', 'server']),
  requireCrl: z.boolean().optional(),
  clockSkewMs: z.number().int().nonnegative().optional(),
  expect: z.enum(['accept', 'reject']),
  fault: z.string().optional(),
});

/** Reads a file of vectors: one object, or an array of them. The error says what is wrong, and in which vector. */
export function readVectors(text: string): Result<readonly Vector[], string> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return err(error instanceof Error ? error.message : 'no JSON');
  }
  const vectors: Vector[] = [];
  for (const [index, one] of (Array.isArray(json) ? json : [json]).entries()) {
    const vector = readVector(one);
    if (!vector.ok) return err(`vector ${index + 1}: ${vector.error}`);
    vectors.push(vector.value);
  }
  return ok(vectors);
}

function readVector(json: unknown): Result<Vector, string> {
  const parsed = written.safeParse(json);
  if (!parsed.success) return err(z.prettifyError(parsed.error).replaceAll('\n', ' '));
  const { name, expect, fault, time, purpose, requireCrl, clockSkewMs, trustDomain, ...lists } = parsed.data;
  if (fault !== undefined && !isFaultCode(fault)) return err(`${name}: there is no fault ${fault}`);
  if (fault !== undefined && expect === 'accept') return err(`${name}: accepted with a fault`);
  const [chain, bundle, crls] = [lists.chain, lists.bundle, lists.crls ?? []].map(decode);
  if (chain === undefined || bundle === undefined || crls === undefined) {
    return err(`${name}: a certificate or list that is neither base64 nor PEM`);
  }
  const optional = {
    ...(trustDomain === undefined ? {} : { trustDomain }),
    ...(requireCrl === undefined ? {} : { requireCrl }),
    ...(clockSkewMs === undefined ? {} : { clockSkewMs }),
  };
  return ok({ name, expect, fault, question: { chain, bundle, crls, atMs: Date.parse(time), purpose, ...optional } });
}

function isFaultCode(text: string): text is FaultCode {
  return Object.hasOwn(FAULTS, text);
}

/** DER of all entries in order; undefined where one is neither base64 nor PEM. What the DER is worth is for the verdict to say. */
function decode(entries: readonly string[]): readonly Uint8Array[] | undefined {
  const all: Uint8Array[] = [];
  for (const entry of entries) {
    const ders = entry.includes('-----BEGIN ') ? fromPem(entry) : fromBase64(entry);
    if (ders === undefined) return undefined;
    all.push(...ders);
  }
  return all;
}

function fromPem(text: string): readonly Uint8Array[] | undefined {
  const blocks = pemBlocks(text);
  return blocks.ok ? blocks.value.map(({ der }) => der) : undefined;
}

function fromBase64(text: string): readonly Uint8Array[] | undefined {
  try {
    return [Uint8Array.fromBase64(text, { lastChunkHandling: 'strict' })];
  } catch {
    return undefined;
  }
}
