import type { Fault } from '../fault.ts';
import { type Answer, cut, cutTwice, startOrigin } from '../origin.ts';
import type { World } from '../world.ts';

const trickling: Answer = (response, file) => {
  response.writeHead(200, { 'content-length': file.length });
  const timer = setInterval(() => response.write('x'), 500);
  response.on('close', () => clearInterval(timer));
};

/** Argo CD's manifest comes from a server of ours in place of GitHub's, and is not in the cache. */
export const download: readonly Fault[] = [
  {
    name: 'download that is cut twice',
    ends: 'success',
    says: [/Tried again: Could not download install\.yaml from raw\.githubusercontent\.com: the connection broke off/],
    within: 120,
    plant: (world) => upFrom(world, cutTwice),
  },
  {
    name: 'download that is cut for good',
    ends: 'message',
    says: [/Tried again: /, /argo-cd: Could not download install\.yaml from \S+: the connection broke off/],
    within: 120,
    plant: (world) => upFrom(world, cut),
  },
  {
    name: 'download with a wrong checksum',
    ends: 'message',
    says: [/argo-cd: Could not download .*the sha256 of what came is [0-9a-f]{64}, expected is [0-9a-f]{64}/],
    within: 120,
    plant: (world) => upFrom(world, (response, file) => response.end(Buffer.concat([file, Buffer.from('\n')]))),
  },
  {
    name: 'download that trickles',
    ends: 'message',
    says: [/argo-cd: Could not download .*it did not come whole within 15 s/, /--timeout/],
    within: 90,
    plant: (world) => upFrom(world, trickling, 'up --timeout 15'),
  },
];

async function upFrom(world: World, answer: Answer, command = 'up') {
  const { env, close } = await startOrigin(world.person, answer);
  world.undo(close);
  return world.types(command, { env });
}
