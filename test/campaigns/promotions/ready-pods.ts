import { type ChildProcess, spawn } from 'node:child_process';
import type { Person } from '../../e2e/support.ts';

/** Watches the pods of a service, as a person would with kubectl, and not through what is measured. */
export interface ReadyPods {
  /** When a pod of that image was first seen to be ready that was not before, in milliseconds of `performance.now()`. */
  next(image: string): Promise<number>;
  end(): void;
}

const columns = ['metadata.uid', 'spec.containers[0].image', 'status.conditions[?(@.type=="Ready")].status'];
/** Milliseconds until waiting for a pod is given up. */
const patience = 180_000;

export function watchReadyPods(person: Person, kubeconfig: string, service: string): ReadyPods {
  const what = ['pods', '--namespace=default', `--selector=app.kubernetes.io/name=${service}`];
  const format = `--output=jsonpath=${columns.map((path) => `{.${path}}`).join(' ')}{"\\n"}`;
  const child: ChildProcess = spawn('kubectl', ['--kubeconfig', kubeconfig, 'get', ...what, '--watch', format], {
    env: person.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const seen = new Set<string>();
  let waiting: { image: string; resolve: (at: number) => void } | undefined;
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [uid = '', image = '', ready] = line.split(' ');
      if (ready !== 'True' || seen.has(uid)) continue;
      seen.add(uid);
      if (waiting && image === waiting.image) waiting.resolve(performance.now());
    }
  });
  return {
    next: (image) =>
      new Promise((resolve, reject) => {
        const deadline = setTimeout(() => reject(new Error(`no pod of ${image} got ready`)), patience);
        waiting = {
          image,
          resolve: (at) => {
            clearTimeout(deadline);
            waiting = undefined;
            resolve(at);
          },
        };
      }),
    end: () => void child.kill(),
  };
}
