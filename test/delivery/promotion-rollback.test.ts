// That a rollback undoes the promotion that counts, however the image got there, and that history knows all of them.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { historyPage } from '../../scripts/commands/history.ts';
import type { History } from '../../scripts/delivery/promote/history.ts';
import { imageInValues } from '../../scripts/repository/image-values.ts';
import { temporaryFolder } from '../support/fakes.ts';
import { createPlatform, dirt, run, subjects, values } from '../support/promotion.ts';
import { commit, git } from '../support/repository.ts';
import { sed } from '../support/sed.ts';

const base = await temporaryFolder();
let repositories = 0;
const platform = () => createPlatform(join(base, `clone ${repositories++}`));
const core = 'helm/core-go/values.yaml';
const tagOf = (folder: string, service = 'core-go') => imageInValues(values(folder, service))?.tag;
const message = (folder: string) => git(folder, 'log', '-1', '--format=%B');
const touched = (folder: string) => git(folder, 'show', '--name-only', '--format=').split('\n');
const sha = (folder: string, revision = 'HEAD') => git(folder, 'rev-parse', revision);

async function demand(folder: string, ...words: [string, ...string[]]): Promise<string> {
  const said = await run(folder, words);
  assert.equal(said.code, 0, said.text);
  assert.equal(dirt(folder), '');
  return said.text;
}

test('a promotion of one service is taken back by git revert, with the hold in the same commit', async () => {
  const folder = platform();
  const before = values(folder, 'core-go');
  await demand(folder, 'promote', 'core-go', 'a1b2c3d');
  const promotion = sha(folder);
  const text = await demand(folder, 'rollback', 'core-go');
  assert.match(text, /core-go: a1b2c3d → 1df3b1f\n/);
  assert.match(
    message(folder),
    new RegExp(
      `^Revert "chore: promote images a1b2c3d"\n\nThis reverts commit ${promotion}\\.\n\ncore-go goes back from a1b2c3d to 1df3b1f\\. [\\s\\S]*\n\nRolled-back: core-go a1b2c3d$`,
    ),
  );
  const lines = values(folder, 'core-go').split('\n');
  assert.match(lines.find((line) => line.includes('# hold:')) ?? '', /^ {2}# hold: a1b2c3d was rolled back by Test, /);
  assert.equal(lines.filter((line) => !line.includes('# hold:')).join('\n'), before);
  assert.deepEqual(subjects(folder), [
    'Revert "chore: promote images a1b2c3d"',
    'chore: promote images a1b2c3d',
    'Start',
  ]);
});

test('of a promotion of several, only the one service is set back, and the commit says of which', async () => {
  const folder = platform();
  await demand(folder, 'promote', 'all', 'a1b2c3d');
  const promotion = sha(folder);
  await demand(folder, 'rollback', 'core-go');
  assert.match(message(folder), /^chore: roll back core-go to 1df3b1f\n/);
  assert(message(folder).includes(`Of commit ${promotion}`));
  assert.deepEqual([touched(folder), tagOf(folder), tagOf(folder, 'api-node')], [[core], '1df3b1f', 'a1b2c3d']);
});

const byOthers: [string, (folder: string) => void, RegExp][] = [
  [
    "the platform's CI, with sed",
    (folder) =>
      void commit(folder, 'chore: promote images a1b2c3d', {
        [core]: sed(values(folder, 'core-go'), 'ghcr.io/zainasr/core-go', 'a1b2c3d'),
      }),
    /^Revert "chore: promote images a1b2c3d"/,
  ],
  [
    'somebody by hand, with another value',
    (folder) =>
      void commit(folder, 'Try it', {
        [core]: values(folder, 'core-go').replace('1df3b1f', 'a1b2c3d').replace('ENV: ', 'MODE: new\n  ENV: '),
      }),
    /^Revert "Try it"/,
  ],
  [
    'somebody by hand, with another file',
    (folder) =>
      void commit(folder, 'Try it', {
        [core]: values(folder, 'core-go').replace('1df3b1f', 'a1b2c3d'),
        'notes.txt': 'tried\n',
      }),
    /^chore: roll back core-go to 1df3b1f/,
  ],
  [
    'a merged branch',
    (folder) => {
      git(folder, 'checkout', '--quiet', '-b', 'feature');
      commit(folder, 'Try it', { [core]: values(folder, 'core-go').replace('1df3b1f', 'a1b2c3d') });
      git(folder, 'checkout', '--quiet', 'main');
      commit(folder, 'Meanwhile', { 'notes.txt': 'x\n' });
      git(folder, 'merge', '--quiet', '--no-edit', 'feature');
    },
    /^Revert "Try it"/,
  ],
  [
    'a merge that decided a conflict',
    (folder) => {
      git(folder, 'checkout', '--quiet', '-b', 'feature');
      commit(folder, 'Theirs', { [core]: values(folder, 'core-go').replace('1df3b1f', 'b2c3d4e') });
      git(folder, 'checkout', '--quiet', 'main');
      commit(folder, 'Meanwhile', { 'notes.txt': 'x\n' });
      git(folder, 'merge', '--quiet', '--no-commit', 'feature');
      commit(folder, 'Merge, with a third one', { [core]: values(folder, 'core-go').replace('b2c3d4e', 'a1b2c3d') });
    },
    /^chore: roll back core-go to b2c3d4e/,
  ],
];
for (const [who, arrange, says] of byOthers) {
  test(`what came by ${who} is rolled back too`, async () => {
    const folder = platform();
    arrange(folder);
    assert.equal(tagOf(folder), 'a1b2c3d');
    const notes = git(folder, 'ls-files', 'notes.txt');
    await demand(folder, 'rollback', 'core-go');
    assert.match(message(folder), says);
    assert.notEqual(tagOf(folder), 'a1b2c3d');
    assert.equal(git(folder, 'ls-files', 'notes.txt'), notes);
    assert.deepEqual(touched(folder), [core]);
  });
}

test('edits after the promotion stay, whether or not git revert can do with them', async () => {
  for (const edit of [
    (text: string) => text.replace('replicaCount: 3', 'replicaCount: 5'),
    (text: string) => text.replace(/\n.*# -- The build that runs/, '\n  # Look out!\n  # -- The build that runs'),
    (text: string) => text.replace('tag: "a1b2c3d"', 'tag:   "a1b2c3d"   # careful'),
  ]) {
    const folder = platform();
    await demand(folder, 'promote', 'core-go', 'a1b2c3d');
    const edited = edit(values(folder, 'core-go'));
    assert.notEqual(edited, values(folder, 'core-go'));
    commit(folder, 'Edit', { [core]: edited });
    await demand(folder, 'rollback', 'core-go');
    const left = values(folder, 'core-go').replace(/.*# hold:.*\n/, '');
    assert.equal(left, edited.replace('"a1b2c3d"', '"1df3b1f"'));
  }
});

test('a second rollback goes further back, and never to what is on hold', async () => {
  const folder = platform();
  for (const tag of ['a1b2c3d', 'b2c3d4e', 'c3d4e5f']) await demand(folder, 'promote', 'core-go', tag);
  await demand(folder, 'rollback', 'core-go');
  assert.equal(tagOf(folder), 'b2c3d4e');
  await demand(folder, 'rollback', 'core-go');
  assert.equal(tagOf(folder), 'a1b2c3d');
  await demand(folder, 'resume', 'core-go');
  await demand(folder, 'promote', 'core-go', 'd4e5f6a');
  await demand(folder, 'rollback', 'core-go');
  assert.equal(tagOf(folder), 'a1b2c3d');
  await demand(folder, 'rollback', 'core-go');
  assert.equal(tagOf(folder), '1df3b1f');
  const said = await run(folder, ['rollback', 'core-go']);
  assert.equal(said.code, 1);
  assert.match(said.text, /nothing to go back to[\s\S]*--to <sha>.*There are a1b2c3d, d4e5f6a, b2c3d4e, c3d4e5f\./);
});

test('after a revert by hand, and a revert of that, the next rollback does what a person means', async () => {
  const folder = platform();
  await demand(folder, 'promote', 'core-go', 'a1b2c3d');
  await demand(folder, 'promote', 'core-go', 'b2c3d4e');
  git(folder, 'revert', '--no-edit', 'HEAD');
  assert.equal(tagOf(folder), 'a1b2c3d');
  git(folder, 'revert', '--no-edit', 'HEAD');
  assert.equal(tagOf(folder), 'b2c3d4e');
  await demand(folder, 'rollback', 'core-go');
  assert.equal(tagOf(folder), 'a1b2c3d');
  await demand(folder, 'rollback', 'core-go');
  assert.equal(tagOf(folder), '1df3b1f');
});

test('--to goes to what was promoted once, and to nothing else', async () => {
  const folder = platform();
  for (const tag of ['a1b2c3d', 'b2c3d4e', 'c3d4e5f']) await demand(folder, 'promote', 'core-go', tag);
  const unknown = await run(folder, ['rollback', 'core-go'], { flags: { to: '9999999' } });
  assert.equal(unknown.code, 1);
  assert.match(unknown.text, /core-go never ran 9999999.*\n.*There are b2c3d4e, a1b2c3d, 1df3b1f\./);
  const here = await run(folder, ['rollback', 'core-go'], { flags: { to: 'c3d4e5f' } });
  assert.deepEqual([here.code, /at c3d4e5f already/.test(here.text)], [0, true]);
  const said = await run(folder, ['rollback', 'core-go'], { flags: { to: 'a1b2c3d' } });
  assert.equal(said.code, 0, said.text);
  assert.equal(tagOf(folder), 'a1b2c3d');
  assert.match(values(folder, 'core-go'), /# hold: c3d4e5f /);
  await demand(folder, 'rollback', 'core-go');
  assert.equal(tagOf(folder), '1df3b1f');
});

test('another repository is taken back as well', async () => {
  const folder = platform();
  commit(folder, 'Move', {
    [core]: sed(values(folder, 'core-go'), 'ghcr.io/elsewhere/core-go', 'a1b2c3d'),
    'notes.txt': 'x\n',
  });
  await demand(folder, 'rollback', 'core-go');
  assert.deepEqual(imageInValues(values(folder, 'core-go')), { repository: 'ghcr.io/zainasr/core-go', tag: '1df3b1f' });
});

test('history has every change of the image, by whom and how, newest first', async () => {
  const folder = platform();
  await demand(folder, 'promote', 'core-go', 'a1b2c3d');
  commit(folder, 'chore: promote images 1234567', {
    [core]: sed(values(folder, 'core-go'), 'ghcr.io/zainasr/core-go', '1234567'),
  });
  commit(folder, 'Break it', { [core]: 'image: {\n' });
  commit(folder, 'Mend it, by "hand"', {
    [core]: values(folder, 'core-go', 'HEAD~1').replace('tag: 1234567', 'tag: b2c3d4e'),
  });
  commit(folder, 'Edit something else', { [core]: `${values(folder, 'core-go')}# x\n` });
  await demand(folder, 'rollback', 'core-go');
  git(folder, 'revert', '--no-edit', 'HEAD');
  const said = await run(folder, ['history', 'core-go'], { flags: { json: true } });
  const { entries, holds } = JSON.parse(said.stdout) as History;
  assert.deepEqual(
    entries.map(({ kind, tag, author, runs, built }) => [kind, tag, author, runs, built]),
    [
      ['rollback', 'b2c3d4e', 'Test', null, null],
      ['rollback', '1234567', 'Test', null, null],
      ['edit', 'b2c3d4e', 'Test', null, null],
      ['promotion', '1234567', 'Test', null, null],
      ['promotion', 'a1b2c3d', 'Test', null, null],
      ['start', '1df3b1f', 'Test', null, null],
    ],
  );
  assert.deepEqual(holds, []);
  assert.match(
    (await run(folder, ['history', 'core-go'])).text,
    /\n.* {2}by hand +b2c3d4e +-\n[\s\S]*What runs is not known: /,
  );
});

test('the table shows the age of images, what runs, and the holds', () => {
  const entry = { commit: 'abcdef0123', date: '2026-11-26T14:03:05+01:00', author: 'Ann', subject: 's', image: 'i' };
  const minutes = (ago: number) => new Date(Date.parse('2026-11-26T00:00:00Z') - ago * 60_000).toISOString();
  const text = historyPage(
    {
      service: 'core-go',
      file: core,
      entries: [
        { ...entry, kind: 'rollback', tag: 'a1b2c3d', built: minutes(5), runs: true },
        { ...entry, kind: 'promotion', tag: 'broken', built: minutes(180), runs: false },
        { ...entry, kind: 'edit', tag: 'b2c3d4e', built: minutes(60 * 24 * 12), runs: false },
        { ...entry, kind: 'start', tag: '1df3b1f', built: null, runs: false },
      ],
      holds: ['broken was rolled back by Ann.'],
      notes: [],
    },
    Date.parse('2026-11-26T00:00:00Z'),
  );
  assert.deepEqual(text.split('\n'), [
    'date              author  commit   what         tag      image age',
    '2026-11-26 14:03  Ann     abcdef0  rollback     a1b2c3d  5 min      runs now',
    '2026-11-26 14:03  Ann     abcdef0  promotion    broken   3 h',
    '2026-11-26 14:03  Ann     abcdef0  by hand      b2c3d4e  12 days',
    '2026-11-26 14:03  Ann     abcdef0  first image  1df3b1f  -',
    '',
    'core-go is on hold:',
    '  broken was rolled back by Ann.',
  ]);
});
