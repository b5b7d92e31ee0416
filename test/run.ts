// Runs the tests of every folder of test/ but e2e and campaigns, or of those only the ones whose path holds one of the words
// that are given: npm test -- promotion lock. A process for each of a hundred files would load the same modules a hundred
// times, so a few processes share them. Each file is a suite of its own there; it runs alone as well:
// node --import tsx --test FILE.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';
import { root } from './support/helm.ts';

const words = process.argv.slice(2);
const files = readdirSync(join(root, 'test'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !['e2e', 'campaigns'].includes(entry.name))
  .map(({ name }) => join('test', name))
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name)))
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => words.length === 0 || words.some((word) => relative(root, file).includes(word)));
if (files.length === 0) {
  process.stderr.write(`No test file has ${words.join(' or ')} in its name. npm test runs all of them.\n`);
  process.exit(2);
}

/**
 * Seconds of a processor, of those files that take long because they run Git, helm or node many times. Any other takes about one;
 * which of them these are is seen by `node --import tsx --test FILE`.
 */
const seconds: Record<string, number> = {
  'promotion-push': 28,
  'promotion-commits': 20,
  'promotion-aside': 19,
  'validation-faults': 12,
  'promotion-rollback': 10,
  output: 7,
  startup: 6,
  'promotion-property': 6,
  'new-service': 5,
  removal: 5,
  interruption: 5,
  'support-bundle': 4,
  lock: 4,
  logs: 3,
  down: 3,
  children: 3,
  exec: 3,
};
const weight = (file: string) => seconds[basename(file, '.test.ts')] ?? 1;

/** More than there are processors, since many a test waits for something. */
const processes = Math.min(files.length, 2 * availableParallelism());
const folder = mkdtempSync(join(tmpdir(), 'platform-ops tests '));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

run({ files: programs(), concurrency: processes })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);

/** A program for each process, which declares a suite for each of its files. The longest files are dealt out first. */
function programs(): string[] {
  const hands = Array.from({ length: processes }, () => ({ files: [] as string[], seconds: 0 }));
  for (const file of files.toSorted((one, other) => weight(other) - weight(one))) {
    const [hand] = hands.toSorted((one, other) => one.seconds - other.seconds);
    hand?.files.push(file);
    if (hand) hand.seconds += weight(file);
  }
  return hands.map((hand, index) => {
    const suites = hand.files.map((file) => [relative(root, file), pathToFileURL(file).href]);
    const program = join(folder, `${index + 1} of ${processes}.mjs`);
    writeFileSync(
      program,
      `import { describe } from 'node:test';\nfor (const [name, url] of ${JSON.stringify(suites)}) describe(name, () => import(url));\n`,
    );
    return program;
  });
}
