import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RolloutReport } from '../../../scripts/delivery/sync/report.ts';
import { demand, newPerson, type Person } from '../../e2e/support.ts';
import { steadyStream } from '../../e2e/traffic.ts';
import { median } from '../../support/measured.ts';
import { type ReadyPods, watchReadyPods } from './ready-pods.ts';

/**
 * Promotes two images of api-node in turns, COUNT times with `npm run sync` and COUNT times without, while requests go
 * through the ingress, and prints how long it took from the commit until the new pod was ready. No request may fail: that
 * alone decides about the exit code. Real images with E2E_GITHUB_TOKEN, stand-ins otherwise. Takes about ten minutes.
 */
const count = Number(process.env.COUNT ?? 10);
const cluster = process.env.CLUSTER_NAME ?? 'promotions';
const ports = { http: Number(process.env.HTTP_PORT ?? 29180), https: Number(process.env.HTTPS_PORT ?? 29543) };
const token = process.env.E2E_GITHUB_TOKEN;
const tags = ['a1b2c3d', 'b2c3d4e'];
const requestsPerSecond = 10;
/** Milliseconds. Argo CD looks every five seconds by itself: a commit comes at any moment between two looks. */
const longestPause = 5000;

const say = (text: string) => void process.stdout.write(`${text}\n`);
const values = 'helm/api-node/values.yaml';
const round = (milliseconds: number) => (milliseconds / 1000).toFixed(1);

interface Way {
  name: string;
  sync: boolean;
  wanted: number;
  /** Milliseconds from the commit to the new pod, for each promotion. */
  times: number[];
}

async function promote(person: Person, tag: string): Promise<string> {
  const path = join(person.clone, values);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace(/^( +tag:).*/m, `$1 "${tag}"`));
  await demand(person.run(['git', 'commit', '--quiet', '--all', '--message', `chore: promote images ${tag}`]));
  const repository = /^ +repository: (\S+)/m.exec(text)?.[1] ?? '';
  return `${repository}:${tag}`;
}

async function measure(person: Person, pods: ReadyPods, { sync, times }: Way, tag: string): Promise<void> {
  const image = await promote(person, tag);
  const started = performance.now();
  const [ready, ran] = await Promise.all([pods.next(image), sync && demand(person.npm('sync', '--json'))]);
  times.push(ready - started);
  const told = ran ? (JSON.parse(ran.stdout) as RolloutReport[]).find(({ changed }) => changed)?.seconds : undefined;
  say(`${sync ? 'with   ' : 'without'} ${tag}  ${round(ready - started)} s  ${told ? JSON.stringify(told) : ''}`);
  // The next one begins from rest.
  const rollout = ['rollout', 'status', 'deployment/api-node', '--timeout=180s'];
  await demand(person.run(['kubectl', '--kubeconfig', `.state/${cluster}/kubeconfig`, ...rollout]));
  await sleep(Math.random() * longestPause);
}

function report({ name, wanted, times }: Way): void {
  const spread = `${round(Math.min(...times))} to ${round(Math.max(...times))} s`;
  say(
    `${name}: commit to new pod ready, median ${round(median(times))} s of ${times.length} (${spread}); wanted: at most ${wanted} s`,
  );
}

async function campaign(person: Person): Promise<number> {
  await demand(person.npm('up'));
  // What is measured is a promotion, not the first pull or build of an image.
  for (const tag of tags) {
    await promote(person, tag);
    await demand(person.npm('sync'));
  }
  const authority = JSON.parse((await demand(person.npm('trust', '--json'))).stdout) as { certificate: string };
  const door = { port: ports.https, host: 'api.localhost', ca: readFileSync(authority.certificate, 'utf8') };
  const ways: Way[] = [
    { name: 'with npm run sync', sync: true, wanted: 10, times: [] },
    { name: 'without any command', sync: false, wanted: 20, times: [] },
  ];
  const pods = watchReadyPods(person, join(person.clone, '.state', cluster, 'kubeconfig'), 'api-node');
  const stream = steadyStream(door, '/info', requestsPerSecond);
  let turn = 0;
  try {
    for (let done = 0; done < count; done += 1) {
      for (const way of ways) {
        await measure(person, pods, way, tags[turn % 2] ?? '');
        turn += 1;
      }
    }
  } finally {
    pods.end();
  }
  const { answered, lost } = await stream.stop();
  for (const way of ways) report(way);
  say(`requests meanwhile: ${answered} answered, ${lost.length} lost`);
  for (const reason of new Set(lost)) say(`  ${reason}`);
  return lost.length;
}

const person = await newPerson({
  cluster,
  ports,
  env: token === undefined ? { GHCR_CREDENTIALS: 'none' } : { GITHUB_TOKEN: token },
});
try {
  process.exitCode = (await campaign(person)) === 0 ? 0 : 1;
} finally {
  await person.remove();
}
