import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { demand, type Person } from '../../e2e/support.ts';
import { untilSamePoint } from './same-point.ts';

/** What one run of one way took. */
export interface Sample {
  seconds: number;
  /** Millions of bytes that the node received from the network, kubectl's requests among them. */
  received?: number;
  /** MiB that the node takes when it is done. */
  memory?: number;
}

const node = 'platform-ops-control-plane';

/** The commands of docs/by-hand.md, as one script that ends with the first that fails. */
export function byHandScript(root: string): string {
  const [, script] =
    readFileSync(join(root, 'docs', 'by-hand.md'), 'utf8').match(
      /^## What `up` does[^\n]*$[\s\S]*?```bash\n([\s\S]*?)```/m,
    ) ?? [];
  if (script === undefined) throw new Error('docs/by-hand.md has no commands');
  return `set -euo pipefail\n${script}`;
}

/** Types the commands of docs/by-hand.md, and takes the time until everything works. */
export async function byHand(person: Person): Promise<Sample> {
  const kubeconfig = join(person.clone, '.state', 'by-hand');
  const started = performance.now();
  await demand(person.run(['bash', '-c', byHandScript(person.clone)], { env: { KUBECONFIG: kubeconfig } }));
  await untilSamePoint(person, kubeconfig);
  return { seconds: (performance.now() - started) / 1000, ...(await costs(person)) };
}

/** Runs `npm run up`, and takes the time until everything works: it keeps images afterwards, which nobody waits for. */
export async function up(person: Person): Promise<Sample> {
  const kubeconfig = join(person.clone, '.state', 'platform-ops', 'kubeconfig');
  const started = performance.now();
  let there: Promise<number> | undefined;
  const watch = (_: number, text: string) => {
    if (there !== undefined || !text.includes('The platform is up')) return;
    there = untilSamePoint(person, kubeconfig).then(() => performance.now());
    there.catch(() => {});
  };
  await demand(person.run(['npm', 'run', '--silent', 'up'], { watch }));
  if (there === undefined) throw new Error('up did not say that the platform is up');
  return { seconds: ((await there) - started) / 1000, ...(await costs(person)) };
}

/** What has to be gone for `up` to be cold: the images that it kept, and the stand-ins that Docker built. */
export async function chill(person: Person): Promise<void> {
  const cache = join(person.home, '.cache', 'platform-ops');
  for (const folder of ['images', 'nodes']) rmSync(join(cache, folder), { recursive: true, force: true });
  const list =
    'docker image ls --quiet --filter reference=platform-ops/stand-in-* --filter reference=ghcr.io/zainasr/*';
  await demand(person.run(['bash', '-c', `${list} | sort -u | xargs --no-run-if-empty docker image rm --force`]));
}

/** Takes away whatever way made it. */
export async function clear(person: Person): Promise<void> {
  const none = join(person.clone, '.state', 'none');
  await demand(person.run(['kind', 'delete', 'cluster', '--name', 'platform-ops', '--kubeconfig', none]));
  rmSync(join(person.clone, '.state'), { recursive: true, force: true });
}

async function costs(person: Person): Promise<{ received?: number; memory?: number }> {
  const interfaces = await person.run(['docker', 'exec', node, 'cat', '/sys/class/net/eth0/statistics/rx_bytes']);
  const stats = await person.run(['docker', 'stats', '--no-stream', '--format', '{{.MemUsage}}', node]);
  const [, amount, unit] = stats.stdout.match(/([\d.]+)(MiB|GiB)/) ?? [];
  return {
    ...(interfaces.code === 0 && { received: Number(interfaces.stdout) / 1e6 }),
    ...(amount !== undefined && { memory: Number(amount) * (unit === 'GiB' ? 1024 : 1) }),
  };
}
