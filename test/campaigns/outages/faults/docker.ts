import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDockerSocket } from '../docker-socket.ts';
import type { Fault } from '../fault.ts';
import type { World } from '../world.ts';
import { forgetImage } from './registry.ts';

/** Docker is gone, by a way to it that is cut; the real one, which others use as well, goes on. */
export const docker: readonly Fault[] = [
  {
    name: 'Docker gone before down',
    ends: 'message',
    says: [/Docker does not answer at unix:\S+, where DOCKER_HOST points/],
    within: 60,
    async plant(world) {
      const { address, cut } = await socketFor(world);
      cut();
      return world.types('down', { env: { DOCKER_HOST: address } });
    },
  },
  {
    name: 'Docker gone during up',
    ends: 'message',
    says: [/prometheus.*: Docker does not answer any more/],
    within: 120,
    async plant(world) {
      await forgetImage(world, 'prometheus');
      const { address, cut } = await socketFor(world);
      return world.types('up --timeout 60', { env: { DOCKER_HOST: address }, on: [[/✔ cluster/, cut]] });
    },
  },
  {
    name: 'Docker that takes connections and never answers',
    ends: 'message',
    says: [/did(n't| not) answer within 30 s|took too long/],
    within: 120,
    async plant(world) {
      const { address } = await socketFor(world, { silent: true });
      return world.types('up', { env: { DOCKER_HOST: address } });
    },
  },
  {
    name: 'node stopped during up, as when Docker restarts',
    ends: 'message',
    says: [/The node container \S+ is exited: the cluster was stopped meanwhile/, /it starts the node/],
    within: 240,
    async plant(world) {
      await world.kubectl('delete', 'deployment', '--all', '--namespace=observability');
      const stop = () => world.docker('stop', '--time', '1', world.node);
      return world.types('up', { on: [[/✔ cluster/, stop]] });
    },
  },
];

async function socketFor(world: World, options?: { silent: boolean }) {
  // A socket's path may have 100 letters at most.
  const folder = mkdtempSync(join(tmpdir(), 'docker-'));
  world.undo(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const socket = await startDockerSocket(join(folder, 's'), options);
  world.undo(socket.cut);
  return socket;
}
