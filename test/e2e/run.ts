// Runs the tests that make clusters, one file after the other, or of those only the ones whose name holds one of the words that are
// given: npm run test:e2e -- up. Prints how long each file took, and ends one that hangs.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const words = process.argv.slice(2);
const folder = fileURLToPath(new URL('.', import.meta.url));
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .map((file) => join(folder, file));
/** Milliseconds: several times what the longest file takes on a machine that does nothing else. The campaign's take longer. */
const timeout = (process.env.E2E_ALL === undefined ? 30 : 90) * 60_000;
const told: string[] = [];

run({ files, concurrency: 1, timeout })
  .on('test:pass', tell)
  .on('test:fail', (ended) => {
    process.exitCode = 1;
    tell(ended);
  })
  .on('end', () => process.stdout.write(told.join('')))
  .compose(new spec())
  .pipe(process.stdout);

/** A suite of a file has ended. The line is written at once, for those who watch, and once more when all is over. */
function tell({ file, nesting, details }: { file?: string; nesting: number; details: { duration_ms: number } }): void {
  if (nesting !== 0) return;
  const line = `e2e: ${basename(file ?? 'a file')} took ${Math.round(details.duration_ms / 1000)} s\n`;
  told.push(line);
  process.stderr.write(line);
}
