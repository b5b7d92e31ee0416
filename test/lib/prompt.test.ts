import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, describe, it, test } from 'node:test';
import { asTyped, terminalInput } from '../../scripts/lib/terminal/prompt.ts';
import { compiled } from '../support/compiled.ts';
import { temporaryFolder } from '../support/fakes.ts';
import { type PlayedGithub, playGithub } from '../support/github.ts';
import { keys, needsTerminal, onTerminal } from '../support/terminal.ts';

const good = 'ghp_good0000';
const folder = await temporaryFolder();
const program = compiled("import './test/support/ask-for-account.ts'");
const accounts = {
  [good]: { login: 'ann', scopes: 'read:packages' },
  ghp_gist0000: { login: 'ann', scopes: 'gist' },
};
const github = await playGithub(accounts);
const broken = await playGithub(accounts);
broken.faults.set('/', 503);
after(() => {
  github.close();
  broken.close();
});

interface Answer {
  kind: string;
  keep?: string;
  never?: boolean;
  token?: string;
}
let files = 0;

/** Answers the questions on a terminal, and hands back what was understood. */
const asked = (...steps: (readonly [string, string])[]) => askedOf(github, ...steps);
async function askedOf({ endpoints }: PlayedGithub, ...steps: (readonly [string, string])[]) {
  files += 1;
  const file = join(folder, `answer-${files}.json`);
  const ran = await onTerminal(`node "${program}" ${endpoints.ghcr} "${file}"`, steps);
  const answer = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Answer) : undefined;
  return { ...ran, answer };
}

describe('the question for a token', { ...needsTerminal, concurrency: 4 }, () => {
  it('explains, masks what is typed, says whose it is, and asks where to keep it', async () => {
    const { code, screen, restored, answer } = await asked(['Token', good + keys.enter], ['Keep it', keys.enter]);
    assert.equal(code, 0, screen);
    assert.deepEqual([answer?.token, answer?.keep], [good, 'save']);
    assert.match(
      screen,
      /read:packages[^\n]*\r?\n.*https:\/\/github\.com\/settings\/tokens\/new\?scopes=read:packages/,
    );
    assert.match(screen, /It works, and belongs to ann/);
    assert(!screen.includes(good));
    assert(restored, screen);
  });

  it('keeps it for this run only when the arrow says so', async () => {
    const { answer } = await asked(['Token', good + keys.enter], ['Keep it', keys.down], ['❯   for this', keys.enter]);
    assert.deepEqual([answer?.token, answer?.keep], [good, 'run']);
  });

  it('takes Enter alone for stand-ins, this time or for good', async () => {
    const now = await asked(['Token', keys.enter], ['Go on', keys.enter]);
    assert.deepEqual([now.code, now.answer], [0, { kind: 'none', never: false }]);
    const never = await asked(['Token', keys.enter], ['Go on', keys.down], ['❯   and never', keys.enter]);
    assert.deepEqual(never.answer, { kind: 'none', never: true });
  });

  it('asks again after a token that does not work, with the reason and the remedy', async () => {
    const { screen, answer } = await asked(
      ['Token', `ghp_nobody${keys.enter}`],
      ['does not know this token', ''],
      ['Token', `ghp_gist0000${keys.enter}`],
      ['it has only gist', ''],
      ['Token', `github_pat_fine${keys.enter}`],
      ['fine-grained', ''],
      ['Token', `ghp one${keys.enter}`],
      ['blank', ''],
      ['Token', good + keys.enter],
      ['Keep it', keys.enter],
    );
    assert.equal(answer?.token, good, screen);
    assert(!/ghp_nobody|ghp_gist|github_pat_fine/.test(screen));
  });

  it('takes a paste with quotes, blanks and line breaks around the token', async () => {
    const { screen, answer } = await asked(['Token', `\n  "${good}" \n\n`], ['Keep it', keys.enter]);
    assert.equal(answer?.token, good, screen);
    assert.match(screen, /blanks and quotes around it were left out/);
    assert(!screen.includes(good));
  });

  it('carries on when nobody can check it, says so, and does not offer to save it', async () => {
    const { screen, answer } = await askedOf(broken, ['Token', good + keys.enter]);
    assert.deepEqual([answer?.token, answer?.keep], [good, 'run'], screen);
    assert.match(screen, /could not be checked.*503.*\r?\n?.*not saved/);
  });

  for (const [name, key] of [
    ['Ctrl-C', keys.interrupt],
    ['Ctrl-D', keys.end],
    ['Escape', keys.escape],
  ] as const) {
    it(`${name} ends it with 130, and leaves the terminal as it was`, async () => {
      const places = [
        [
          ['Token', 'ghp_half'],
          ['****', key],
        ],
        [
          ['Token', good + keys.enter],
          ['Keep it', key],
        ],
        [
          ['Token', keys.enter],
          ['Go on', key],
        ],
      ] as const;
      for (const steps of places) {
        const { code, screen, restored, answer } = await asked(...steps);
        assert.deepEqual([code, restored, answer], [130, true, undefined], screen);
        // The cursor that the questions hid is back.
        assert(screen.lastIndexOf('\u001b[?25h') > screen.lastIndexOf('\u001b[?25l'), JSON.stringify(screen));
      }
    });
  }
});

/** A terminal of which nothing is real but what is typed. */
function typed() {
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (raw: boolean) => void modes.push(raw) });
  const controller = new AbortController();
  const { input, close } = terminalInput(stdin as unknown as NodeJS.ReadStream, controller.signal);
  return { stdin, controller, close, read: () => String(input.read() ?? '') };
}
const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a signal, or a terminal that is closed, ends the question as Ctrl-C does', async () => {
  const signalled = typed();
  signalled.controller.abort();
  assert.equal(signalled.read(), keys.interrupt);
  const closed = typed();
  closed.stdin.end();
  await soon();
  assert.equal(closed.read(), keys.interrupt);
});

test('once the question is over, what is typed is left to whoever comes next', async () => {
  const { stdin, controller, close } = typed();
  close();
  controller.abort();
  stdin.write('x');
  await soon();
  assert.equal(String(stdin.read()), 'x');
});

test('a paste is read as one answer, whatever line breaks came with it', () => {
  assert.equal(asTyped('\r\nghp_a\r\n\r\n'), 'ghp_a\r');
  assert.equal(asTyped('ghp_a\nghp_b'), 'ghp_a ghp_b');
  assert.equal(asTyped('\u001b[200~ghp_a\u001b[201~'), 'ghp_a');
});

test('a key stays a key', () => {
  for (const key of Object.values(keys)) assert.equal(asTyped(key), key);
  assert.equal(asTyped(keys.down + keys.enter), keys.down + keys.enter);
});
