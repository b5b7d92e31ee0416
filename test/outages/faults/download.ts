import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { argocd } from '../../../scripts/versions.ts';
import type { Fault } from '../fault.ts';
import type { World } from '../world.ts';

/** What a server does with the file that it is asked for, the first time, the second time, and so on. */
type Answer = (response: ServerResponse, file: Buffer, time: number) => void;

const whole: Answer = (response, file) => response.end(file);
const cut: Answer = (response, file) => {
  response.writeHead(200, { 'content-length': file.length });
  response.write(file.subarray(0, 1000), () => response.destroy());
};
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
    plant: (world) => upFrom(world, (response, file, time) => (time <= 2 ? cut : whole)(response, file, time)),
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
  const { person } = world;
  const file = Buffer.from(await (await fetch(argocd.installUrl)).arrayBuffer());
  let time = 0;
  const server = createServer((_, response) => {
    time += 1;
    answer(response, file, time);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  world.undo(() => {
    server.close();
    server.closeAllConnections();
  });
  await person.run(['rm', '-rf', join(person.home, '.cache', 'platform-ops', 'downloads')]);
  const { port } = server.address() as AddressInfo;
  const loaded = pathToFileURL(join(person.clone, 'test', 'outages', 'reroute.mjs')).href;
  const env = {
    NODE_OPTIONS: `--import ${loaded}`,
    REROUTE: `${new URL(argocd.installUrl).host}=http://127.0.0.1:${port}`,
  };
  return world.types(command, { env });
}
