import { viewOf } from '../../e2e/cluster-view.ts';
import { demand, type Person, type Ran } from '../../e2e/support.ts';
import { family, signalAll } from './processes.ts';

/** What happens as soon as a command has said something; it is given the number of the command's process. */
type Event = readonly [said: RegExp, work: (pid: number) => unknown];

/** A person's cluster, and the ways to do it harm. */
export interface World {
  person: Person;
  cluster: string;
  /** The container that is the cluster's node. */
  node: string;
  /** Types `npm run NAME -- ARGS`. Throws where it has not ended in the seconds that the fault gives it. */
  types(command: string, options?: { env?: Record<string, string>; on?: readonly Event[] }): Promise<Ran>;
  docker(...args: string[]): Promise<string>;
  kubectl(...args: string[]): Promise<string>;
  /** Runs a shell script in the node, and hands back what it prints. */
  inNode(script: string): Promise<string>;
  /** Says how to take a fault away. It is done afterwards, whatever happens, the last one first. */
  undo(work: () => unknown): void;
}

/** Makes the world for one fault. `cleanUp` takes away what was planted. */
export function newWorld(
  person: Person,
  cluster: string,
  within: number,
): { world: World; cleanUp: () => Promise<void> } {
  const node = `${cluster}-control-plane`;
  const undoing: (() => unknown)[] = [];
  const docker = async (...args: string[]) => (await demand(person.run(['docker', ...args]))).stdout;
  const world: World = {
    person,
    cluster,
    node,
    docker,
    kubectl: async (...args) => (await demand(viewOf(person, cluster).kubectl(...args))).stdout,
    inNode: (script) => docker('exec', node, 'sh', '-ec', script),
    undo: (work) => void undoing.push(work),
    types: (command, options = {}) => typed(person, command, within, options),
  };
  const cleanUp = async () => {
    for (const work of undoing.toReversed()) await work();
  };
  return { world, cleanUp };
}

async function typed(
  person: Person,
  command: string,
  within: number,
  { env = {}, on = [] }: { env?: Record<string, string>; on?: readonly Event[] },
): Promise<Ran> {
  const events = [...on];
  const happening: unknown[] = [];
  let pid = 0;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    signalAll(family(pid), 'SIGKILL');
  }, within * 1000);
  const watch = (number: number, text: string) => {
    pid = number;
    while (events[0]?.[0].test(text)) happening.push(events.shift()?.[1](number));
  };
  const [name = '', ...args] = command.split(' ');
  try {
    const ran = await person.run(['npm', 'run', '--silent', name, '--', ...args], { env, watch });
    await Promise.all(happening);
    if (late) throw new Error(`it had not ended after ${within} s:\n${ran.text}`);
    if (events.length > 0) throw new Error(`it never said ${events[0]?.[0]}:\n${ran.text}`);
    return ran;
  } finally {
    clearTimeout(timer);
  }
}
