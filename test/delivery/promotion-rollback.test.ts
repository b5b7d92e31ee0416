// That a rollback undoes the promotion that counts, however the image got there, and that history knows all of them.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { historyPage } from '../../scripts/commands/history.ts';
import type { ImageChange } from '../../scripts/delivery/promote/changes.ts';
import type { History } from '../../scripts/delivery/promote/history.ts';
import { planRollback } from '../../scripts/delivery/promote/rollback.ts';
import { withHold } from '../../scripts/repository/hold.ts';
import { imageInValues } from '../../scripts/repository/image-values.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';
import {
  core,
  createPlatform,
  demand as demandOf,
  dirt,
  promoted,
  run,
  subjects,
  tagOf,
  values,
} from '../support/promotion.ts';
import { commit, git } from '../support/repository.ts';
import { sed } from '../support/sed.ts';

const base = await temporaryFolder();
let repositories = 0;
const platform = () => createPlatform(join(base, `clone ${repositories++}`));
const message = (folder: string) => git(folder, 'log', '-1', '--format=%B');
const touched = (folder: string) => git(folder, 'show', '--name-only', '--format=').split('\n');
const rolling = ['rollback', 'core-go'] as const;

async function demand(folder: string, words: readonly [string, ...string[]]): Promise<string> {
  const text = await demandOf(folder, words);
  assert.equal(dirt(folder), '');
  return text;
}

test('a promotion of one service is taken back by git revert, with the hold in the same commit', async () => {
  const folder = platform();
  const before = values(folder, 'core-go');
  await demand(folder, ['promote', 'core-go', 'a1b2c3d']);
  const promotion = git(folder, 'rev-parse', 'HEAD');
  const text = await demand(folder, rolling);
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
  await demand(folder, ['promote', 'all', 'a1b2c3d']);
  const promotion = git(folder, 'rev-parse', 'HEAD');
  await demand(folder, rolling);
  assert.match(message(folder), /^chore: roll back core-go to 1df3b1f\n/);
  assert(message(folder).includes(`Of commit ${promotion}`));
  assert.deepEqual([touched(folder), tagOf(folder), tagOf(folder, 'api-node')], [[core], '1df3b1f', 'a1b2c3d']);
});

const byOthers: [string, (folder: string) => void, RegExp][] = [
  [
    "the platform's CI, with sed",
    (folder) => void promoted(folder, 'a1b2c3d'),
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
    await demand(folder, rolling);
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
    (text: string) => text.replace('tag: a1b2c3d', 'tag:   "a1b2c3d"   # careful'),
  ]) {
    const folder = platform();
    promoted(folder, 'a1b2c3d');
    const edited = edit(values(folder, 'core-go'));
    assert.notEqual(edited, values(folder, 'core-go'));
    commit(folder, 'Edit', { [core]: edited });
    await demand(folder, rolling);
    const left = values(folder, 'core-go').replace(/.*# hold:.*\n/, '');
    assert.equal(left, edited.replace(/"?a1b2c3d"?/, '"1df3b1f"'));
  }
});

const [one, two, three, four] = ['a1b2c3d', 'b2c3d4e', 'c3d4e5f', 'd4e5f6a'];
/** What happened, each as a kind and a tag, and what the next rollback goes to; `back` is ours, `revert` a git revert by hand. */
const sequences: [string, string | RegExp, { to?: string; held?: string }?][] = [
  [`start 0 promotion ${one}`, '0'],
  [`start 0 promotion ${one} promotion ${two} promotion ${three} back ${two}`, one, { held: three }],
  [`start 0 promotion ${one} promotion ${two}`, '0', { held: one }],
  [`start 0 promotion ${one} promotion ${two} back ${one} promotion ${four}`, one],
  [`start 0 promotion ${one} promotion ${two} back ${one} promotion ${four} back ${one}`, '0'],
  [`start 0 promotion ${one} promotion ${two} revert ${one} revert ${two}`, one],
  [`start 0 promotion ${one} promotion ${two} revert ${one} revert ${two} back ${one}`, '0'],
  [`start 0 promotion ${one} promotion ${two} back ${one} back 0`, new RegExp(`--to.* There are ${one}, ${two}\\.`)],
  ['start 0', /nothing to go back to/],
  [`start 0 promotion ${one} promotion ${two} promotion ${three}`, one, { to: one }],
  [`start 0 promotion ${one} promotion ${two} promotion ${three} back ${one}`, '0'],
  [`start 0 promotion ${one} back 0`, one, { to: one, held: one }],
  [`start 0 promotion ${one} promotion ${two}`, new RegExp(`never ran 9\\D.*\\n.*There are ${one}, 0\\.`), { to: '9' }],
];
for (const [history, expected, { to, held } = {}] of sequences) {
  test(`after ${history}, a rollback${to ? ` to ${to}` : ''} means ${expected}`, async () => {
    const changes = [...history.matchAll(/(\w+) (\w+)/g)].map(([, kind = '', tag = '']): ImageChange => {
      const image = { repository: 'r', tag };
      const ours = kind === 'back';
      const about = { commit: 'c', date: '', author: '', subject: '', parents: 1, before: undefined };
      const kinds = { back: 'rollback', revert: 'rollback', promotion: 'promotion' } as const;
      return { ...about, kind: kinds[kind as 'back'] ?? 'start', ours, image, texts: { after: '', before: '' } };
    });
    const hold = { by: 'Ann', at: new Date(0) };
    const plain = `image:\n  repository: r\n  tag: "${changes.at(-1)?.image.tag}"\n`;
    const service = { name: 'core-go', file: core, schema: '' };
    const text = held ? withHold(plain, { service: 'core-go', tag: held, ...hold }) : plain;
    const state = { service, text, overrides: [], holdsElsewhere: [] };
    const plan = () => planRollback(state, { changes, touchesOnlyThis: false, shallow: false, ...hold }, to);
    if (expected instanceof RegExp) assert.match((await refusal(plan)).text, expected);
    else assert.equal(imageInValues((await plan()).edits[0]?.after ?? '')?.tag, expected);
  });
}

test('a second rollback knows the first one; --to goes to what was promoted once', async () => {
  const folder = platform();
  for (const tag of [one, two]) promoted(folder, tag);
  await demand(folder, rolling);
  assert.equal(tagOf(folder), one);
  await demand(folder, rolling);
  assert.equal(tagOf(folder), '1df3b1f');
  const here = await run(folder, rolling, { flags: { to: '1df3b1f' } });
  assert.deepEqual([here.code, /at 1df3b1f already/.test(here.text)], [0, true]);
  const said = await run(folder, rolling, { flags: { to: two } });
  assert.deepEqual([said.code, tagOf(folder)], [0, two], said.text);
  assert.match(values(folder, 'core-go'), /# hold: 1df3b1f /);
});

test('another repository is taken back as well', async () => {
  const folder = platform();
  commit(folder, 'Move', {
    [core]: sed(values(folder, 'core-go'), 'ghcr.io/elsewhere/core-go', 'a1b2c3d'),
    'notes.txt': 'x\n',
  });
  await demand(folder, rolling);
  assert.deepEqual(imageInValues(values(folder, 'core-go')), { repository: 'ghcr.io/zainasr/core-go', tag: '1df3b1f' });
});

test('history has every change of the image, by whom and how, newest first', async () => {
  const folder = platform();
  for (const tag of ['a1b2c3d', '1234567']) promoted(folder, tag);
  commit(folder, 'Break it', { [core]: 'image: {\n' });
  commit(folder, 'Mend it, by "hand"', {
    [core]: values(folder, 'core-go', 'HEAD~1').replace('tag: 1234567', 'tag: b2c3d4e'),
  });
  commit(folder, 'Edit something else', { [core]: `${values(folder, 'core-go')}# x\n` });
  await demand(folder, rolling);
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
