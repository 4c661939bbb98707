import { judgeFolder, table } from './judge-vectors.ts';

const USAGE = `Usage: npx node test/conformance/certificates/run.ts FOLDER
Judges the certificate vectors of FOLDER (*.json, as described in README.md beside this file) with verifyChain.
Exit codes: 0 all agree, 1 some differ, 2 wrong use or vectors that cannot be read.`;

const [folder, ...others] = process.argv.slice(2);
process.exitCode =
  folder === undefined || folder.startsWith('-') || others.length > 0 ? refuse(USAGE) : await main(folder);

function refuse(text: string): number {
  console.error(text);
  return 2;
}

async function main(from: string): Promise<number> {
  const judged = await judgeFolder(from);
  if (!judged.ok) return refuse(judged.error);
  console.log(table(judged.value));
  return judged.value.every(({ agrees }) => agrees) ? 0 : 1;
}
