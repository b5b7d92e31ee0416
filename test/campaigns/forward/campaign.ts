import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { demand, newPerson, type Person } from '../../e2e/support.ts';
import { apiOf, replacePod, restartApiServer } from './availability.ts';
import { type Running, startForward } from './running.ts';

/**
 * Replaces pods behind a running forward, restarts the API server, and deletes the cluster: each address has to work again
 * within two seconds each time, and nothing may be left at the end, also after SIGHUP and SIGKILL. COUNT is the number of
 * replacements; CLUSTER_NAME, HTTP_PORT and HTTPS_PORT say where. Prints how long each took from the moment that the new pod,
 * or the API server, was ready.
 */
const count = Number(process.env.COUNT ?? 10);
const cluster = process.env.CLUSTER_NAME ?? 'forward';
const ports = { http: Number(process.env.HTTP_PORT ?? 29080), https: Number(process.env.HTTPS_PORT ?? 29443) };
const names = ['prometheus', 'grafana', 'argocd', 'api'];
const say = (text: string) => void process.stdout.write(`${text}\n`);
const times: number[] = [];
const note = (what: string, milliseconds: number) => {
  times.push(milliseconds);
  say(`✔ ${what}: works again after ${Math.round(milliseconds)} ms`);
};

/** Processes that name the clone: of the forwarder, none may stay. */
function left({ clone }: Person): string[] {
  const { stdout } = spawnSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line.includes(clone) && / port-forward |platform\.mjs (port-)?forward/.test(line));
}

async function nothingLeft(person: Person): Promise<void> {
  for (const deadline = Date.now() + 5000; left(person).length > 0; await sleep(100)) {
    if (Date.now() > deadline) throw new Error(`left behind:\n${left(person).join('\n')}`);
  }
  say('✔ no process is left');
}

async function campaign(person: Person): Promise<void> {
  await demand(person.npm('up'));
  const api = apiOf(person, cluster);
  let forward: Running = await startForward(person, names);
  for (const name of names) await forward.says(new RegExp(`✔ ${name} leads`), 30);
  for (let index = 0; index < count; index += 1) {
    const name = names[index % names.length] ?? '';
    note(
      `pod ${index + 1} of ${count}, ${name}`,
      await replacePod(person, cluster, api, name, forward.urls.get(name) ?? ''),
    );
  }
  for (const [name, time] of await restartApiServer(person, cluster, api, forward.urls))
    note(`API server, ${name}`, time);
  const code = await forward.interrupt();
  if (code !== 130) throw new Error(`Ctrl-C: exit code ${code}\n${forward.said()}`);
  await nothingLeft(person);
  say(forward.said());

  for (const signal of ['SIGHUP', 'SIGKILL'] as const) {
    const other = await startForward(person, ['grafana']);
    await other.says(/✔ grafana leads/, 30);
    process.kill(-(other.child.pid as number), signal);
    await other.ended;
    await nothingLeft(person);
  }
  const headed = await demand(person.run(['sh', '-c', 'npm run --silent port-forward -- grafana --port 0 | head -1']));
  if (!/^ +grafana +http/.test(headed.stdout)) throw new Error(headed.text);
  await nothingLeft(person);
  say('✔ it ends with its reader');

  forward = await startForward(person, ['grafana']);
  const down = await demand(person.npm('down'));
  const ended = await forward.ended;
  if (ended !== 1 || !/was deleted, so nothing is forwarded/.test(forward.said()))
    throw new Error(`after down: exit code ${ended}\n${forward.said()}`);
  if (!/process \d+ \(npm run port-forward\)/.test(down.stdout) || !/\n0 left\./.test(down.stdout))
    throw new Error(down.stdout);
  say('✔ the forwarder has ended with its cluster, and down says so');
  await nothingLeft(person);
}

const person = await newPerson({ cluster, ports });
try {
  await campaign(person);
} finally {
  await person.remove();
}
const within = times.filter((time) => time <= 2000).length;
say(
  `\n${within} of ${times.length} worked again within two seconds; the slowest took ${Math.round(Math.max(...times))} ms.`,
);
process.exit(within === times.length ? 0 : 1);
