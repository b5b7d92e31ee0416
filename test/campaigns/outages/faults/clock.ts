import { existsSync, readdirSync } from 'node:fs';
import type { Fault } from '../fault.ts';
import type { World } from '../world.ts';

/** libfaketime, with which a program sees another time; kubectl and Docker's client, which use no libc, see the real one. */
const library = readdirSync('/usr/lib')
  .map((folder) => `/usr/lib/${folder}/faketime/libfaketime.so.1`)
  .find((file) => existsSync(file));
const missing = () => (library === undefined ? 'libfaketime is not installed' : undefined);

/** This machine's clock differs from that of the cluster. */
export const clock: readonly Fault[] = [
  {
    name: 'clock that is a day behind',
    missing,
    ends: 'message',
    says: [
      /certificate of the API server .* is not valid yet, by the clock of this machine, which says/,
      /set the clock/,
    ],
    within: 60,
    plant: (world) => upAt(world, '-1d'),
  },
  {
    name: 'clock that is two years ahead',
    missing,
    ends: 'message',
    says: [/certificate of the API server .* has ended, by the clock of this machine/, /set the clock/],
    within: 60,
    plant: (world) => upAt(world, '+730d'),
  },
  {
    name: 'clock that is an hour ahead, and nothing to do',
    missing,
    ends: 'success',
    says: [/nothing was changed/],
    within: 120,
    plant: (world) => upAt(world, '+1h'),
  },
  {
    name: 'clock that is an hour ahead, and something to do',
    missing,
    ends: 'success',
    says: [/"Deployment observability\/grafana"/],
    within: 120,
    async plant(world) {
      await world.kubectl('delete', 'deployment', 'grafana', '--namespace=observability');
      return upAt(world, '+1h', 'up --json');
    },
  },
  {
    name: 'clock that is two minutes behind, right after a change',
    missing,
    ends: 'success',
    says: [/nothing was changed/],
    within: 120,
    async plant(world) {
      await world.kubectl('delete', 'deployment', 'grafana', '--namespace=observability');
      await world.types('up');
      return upAt(world, '-2m');
    },
  },
];

function upAt(world: World, offset: string, command = 'up') {
  const env = { LD_PRELOAD: library ?? '', FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  return world.types(command, { env });
}
