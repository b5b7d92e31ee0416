import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { demand } from '../../../e2e/support.ts';
import type { Fault } from '../fault.ts';
import { setKubelet } from '../kubelet.ts';

/** A service takes more memory than it may, or the node has none left. */
export const memory: readonly Fault[] = [
  {
    name: 'service that takes more memory than it may',
    ends: 'message',
    says: [/pod default\/worker-python\S*, container \S+: OOMKilled/, /→ Raise resources\.limits\.memory/],
    within: 300,
    async plant(world) {
      const { person } = world;
      const git = (...args: string[]) => demand(person.run(['git', ...args]));
      const limits = '\nresources:\n  requests:\n    memory: 8Mi\n  limits:\n    memory: 11Mi\n';
      appendFileSync(join(person.clone, 'helm', 'worker-python', 'values-dev.yaml'), limits);
      await git('commit', '--quiet', '--all', '--message', 'Give the worker too little memory');
      world.undo(() => git('revert', '--no-edit', 'HEAD'));
      return world.types('up');
    },
  },
  {
    name: 'node short of memory',
    ends: 'message',
    says: [
      /Evicted: The node was low on resource: memory|memory-pressure/,
      /→ The node is out of memory|→ Give Docker more/,
    ],
    within: 240,
    async plant(world) {
      // So the kubelet finds the node short of memory, whatever there is, and evicts pods.
      const settings = {
        evictionSoft: { 'memory.available': '99%' },
        evictionSoftGracePeriod: { 'memory.available': '1s' },
        evictionMaxPodGracePeriod: 1,
      };
      await setKubelet(world, settings, 'MemoryPressure');
      return world.types('up --timeout 60');
    },
  },
  {
    name: 'node whose memory is not enough for the control plane',
    ends: 'message',
    says: [/The node .* ran out of memory: \d+ processes were killed/, /→ The node is out of memory/],
    within: 300,
    async plant(world) {
      const limit = (bytes: number) => ['update', `--memory=${bytes}`, `--memory-swap=${bytes}`, world.node];
      world.undo(() => world.docker(...limit(16 * 2 ** 30)));
      // What runs has more already: the kernel would refuse the limit.
      await world.docker('stop', '--time', '1', world.node);
      await world.docker(...limit(300 * 2 ** 20));
      return world.types('up --timeout 40');
    },
  },
];
