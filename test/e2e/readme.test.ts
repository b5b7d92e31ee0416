// That somebody who types the README's commands from the first to the last gets what it says.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { blocksOf, withOwn } from '../support/readme-commands.ts';
import { textOf } from '../support/tracked-files.ts';
import { holdTo, promiseOf } from './readme-promises.ts';
import { cloneFor, newcomer, type Person, type Ran } from './support.ts';

const cluster = 'e2e-readme';
const ports = { http: 28710, https: 29073 };
const blocks = blocksOf(textOf('README.md'));
/** Types a command into bash, which says where it is afterwards: `cd` holds for the commands behind it. */
const typing = 'eval "$1"; code=$?; pwd >"$2"; exit $code';

describe('a newcomer who types what the README says, in a folder with a space in its name', () => {
  let person: Person;
  let folder: string;
  let stopped: string | undefined;

  before(async () => {
    person = newcomer({ cluster, ports });
    folder = person.clone;
    const origin = join(dirname(person.home), 'on GitHub.git');
    await cloneFor(person, origin, '--bare');
    // The address in the README leads to this commit, in place of what is on GitHub.
    const address = textOf('README.md').match(/git clone (\S+)/)?.[1] ?? assert.fail('the README clones nothing');
    Object.assign(person.env, {
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `url.${origin}.insteadOf`,
      GIT_CONFIG_VALUE_0: address,
    });
  });
  after(() => person?.remove());

  const type = async (text: string): Promise<Ran> => {
    const where = join(person.home, 'where');
    const command = withOwn(text, { cluster, https: ports.https });
    const ran = await person.run(['bash', '-c', typing, 'bash', command, where], { cwd: folder });
    folder = readFileSync(where, 'utf8').trimEnd();
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
      });
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

  step('goes away, and says that nothing is left', async () => {
    const ran = await type('npm run down');
    assert.equal(ran.code, 0, ran.text);
    assert.match(ran.stdout, /^0 left\.$/m);
    assert(!existsSync(join(folder, '.state')));
    assert.equal((await type(`docker ps --all --quiet --filter name=^${cluster}-control-plane$`)).stdout, '');
  });
});
