import { readSeal } from '../../src/core/record/chain.ts';
import { createRecorder } from '../../src/core/record/recorder.ts';
import { createChainVerifier, type BrokenChain, type SoundChain } from '../../src/core/record/verify.ts';
import { sampleFacts } from './record-facts.ts';

/** Makes chained records, one a call. */
export function createLineMaker(chainStart?: string): () => string {
  const recorder = createRecorder({ labels: { id: 'i' }, chainStart });
  return () => {
    const line = recorder.record(sampleFacts());
    if (line === undefined) throw new Error('dropped');
    return line;
  };
}

/** The whole lines of a log's text that are records (not notices, not torn). */
export function recordLines(text: string): readonly string[] {
  return text.split('\n').filter(isRecord);
}

function isRecord(line: string): boolean {
  return line.startsWith('{"decision_id"') && readSeal(Buffer.from(line)) !== undefined;
}

/** Verifies the texts of several files of one log. */
export function verifyTexts(texts: readonly string[]): BrokenChain | SoundChain {
  const verifier = createChainVerifier();
  for (const text of texts) {
    const lines = text.split('\n');
    const rest = lines.pop() ?? '';
    for (const line of lines) verifier.push(Buffer.from(line));
    verifier.endFile(Buffer.from(rest));
  }
  return verifier.verdict();
}
