import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { blocksOf, withOwn } from '../support/readme-commands.ts';
import { textOf } from '../support/tracked-files.ts';
import { holdTo, promiseOf } from './readme-promises.ts';
import { cloneFor, type Person, type Ran } from './support.ts';

const blocks = blocksOf(textOf('README.md'));
/** Types a command into bash, which says where it is afterwards: `cd` holds for the commands behind it. */
const typing = 'eval "$1"; code=$?; pwd >"$2"; exit $code';

export interface Reading {
  cluster: string;
  https: number;
  /** Declares tests before the README's first `npm run up`, at whose end `person.clone` is the clone. */
  beforeUp(): void;
  /** Declares tests after it. */
  afterUp(ran: () => Ran): void;
}

/** Has the address in the README lead to this commit, in place of what is on GitHub. */
export async function stayAtThisCommit(person: Person): Promise<void> {
  const origin = join(dirname(person.home), 'on GitHub.git');
  await cloneFor(person, origin, '--bare');
  const address = textOf('README.md').match(/git clone (\S+)/)?.[1] ?? assert.fail('the README clones nothing');
  Object.assign(person.env, {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `url.${origin}.insteadOf`,
    GIT_CONFIG_VALUE_0: address,
  });
}

/** Types the README's commands from the first to the last: each step starts from what the one before it left. */
export function readmeSteps({ cluster, https, beforeUp, afterUp }: Reading, reader: () => Person): void {
  let stopped: string | undefined;
  let up: Ran;

  const type = async (text: string): Promise<Ran> => {
    const person = reader();
    const where = join(person.home, 'where');
    const command = withOwn(text, { cluster, https });
    const ran = await person.run(['bash', '-c', typing, 'bash', command, where]);
    person.clone = readFileSync(where, 'utf8').trimEnd();
    return ran;
  };
  /** A step that stands on those before it, so it is not tried once one of them failed. */
  const step = (name: string, work: (say: (text: string) => void) => Promise<void>) =>
    it(name, async (t) => {
      if (stopped !== undefined) return t.skip(`after ${stopped}`);
      stopped = name;
      await work((text) => t.diagnostic(text));
      stopped = undefined;
    });

  for (const { section, commands, notRun, line } of blocks) {
    if (notRun !== undefined) {
      it(`README.md:${line}, ${section}`, { skip: notRun }, () => {});
      continue;
    }
    for (const command of commands) {
      const isUp = command.text === 'npm run up';
      if (isUp) beforeUp();
      step(`README.md:${command.line}, ${section}: ${command.text}`, async (say) => {
        const { prints, within = 0 } = promiseOf(command) ?? {};
        const deadline = Date.now() + within * 1000;
        let ran = await type(command.text);
        while (prints && !prints.test(ran.text) && Date.now() < deadline) {
          await sleep(500);
          ran = await type(command.text);
        }
        holdTo(command, ran);
        say(`${ran.seconds.toFixed(1)} s`);
        if (isUp) up = ran;
      });
      if (isUp) afterUp(() => up);
    }
  }

  step('all is well in the end, at what was checked out', async () => {
    // The last command was a commit, which Argo CD sees within ten seconds.
    const deadline = Date.now() + 60_000;
    let ran = await type('npm run status');
    while (ran.code !== 0 && Date.now() < deadline) ran = await type('npm run status');
    assert.equal(ran.code, 0, ran.text);
    assert.match(ran.stdout, /All is well\./);
  });
}
