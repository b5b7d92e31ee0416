import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../../e2e/cluster-view.ts';
import type { Ran } from '../../../e2e/support.ts';
import { keys, type Step } from '../../../support/terminal.ts';
import type { Fault } from '../fault.ts';
import { family, naming, signalAll } from '../processes.ts';
import type { World } from '../world.ts';

/** Seconds that the machine sleeps: longer than a step may take. */
const night = 100;

/** What a person does while a command works: interrupt it, close the window, close the laptop. */
export const person: readonly Fault[] = [
  {
    name: 'Ctrl-C',
    ends: 'interrupted',
    says: [/Stopping what runs\. Ctrl-C again ends it at once/, /Interrupted\. npm run up goes on where it stopped/],
    within: 60,
    plant: (world) => pressing(world, ['✔ cluster', keys.interrupt]),
  },
  {
    name: 'Ctrl-C twice',
    ends: 'interrupted',
    says: [/Stopping what runs/],
    within: 60,
    plant: (world) => pressing(world, ['✔ cluster', keys.interrupt], ['Stopping what runs', keys.interrupt, 300]),
  },
  {
    name: 'terminal closed',
    ends: 'interrupted',
    says: [],
    within: 60,
    async plant(world) {
      await somethingToDo(world);
      const started = performance.now();
      const watch = (pid: number, text: string) => void (/✔.*cluster/.test(text) && process.kill(pid, 'SIGKILL'));
      // The terminal is gone with the program that made it, so that what ran on it is told (SIGHUP).
      const { text } = await world.person.run(['script', '-qefc', 'npm run up', '/dev/null'], { watch });
      await untilNothingRuns(world);
      return { code: 130, stdout: '', stderr: '', text, seconds: (performance.now() - started) / 1000 };
    },
  },
  {
    name: 'laptop asleep in the middle of up',
    ends: 'success',
    says: [/The platform is up/],
    within: 300 + night,
    async plant(world) {
      await somethingToDo(world);
      return world.types('up --timeout 60', { on: [[/✔ cluster/, (pid) => sleepOverNight(world, pid)]] });
    },
  },
];

async function somethingToDo(world: World): Promise<void> {
  await world.kubectl('delete', 'namespace', 'observability', '--wait=false');
}

async function pressing(world: World, ...steps: Step[]): Promise<Ran> {
  await somethingToDo(world);
  const started = performance.now();
  const { code, screen } = await world.person.answer('npm run up', ...steps);
  await untilNothingRuns(world);
  const seconds = (performance.now() - started) / 1000;
  return { code, stdout: '', stderr: '', text: screen.replaceAll('\r', ''), seconds };
}

/** No child of a command is left, and no lock. */
async function untilNothingRuns({ person, cluster, node }: World): Promise<void> {
  const mine = () => naming(person.clone).concat(naming(`docker exec ${node}`), naming(`.state/${cluster}/`));
  await eventually(`no process is left: ${mine().join('\n')}`, 20, async () => mine().length === 0);
  const lock = join(person.clone, '.state', `${cluster}.lock`);
  await eventually('the lock is given back', 5, async () => !existsSync(lock));
}

/** Everything stands still, the node included; on waking up the API server's connections are gone. */
async function sleepOverNight(world: World, pid: number): Promise<void> {
  const all = family(pid);
  signalAll(all, 'SIGSTOP');
  await world.docker('pause', world.node);
  await sleep(night * 1000);
  await world.docker('unpause', world.node);
  await world.inNode('kill -9 $(pidof kube-apiserver)');
  signalAll(all, 'SIGCONT');
}
