import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { argocd } from '../../../scripts/config/versions.ts';
import type { Person } from '../../e2e/support.ts';

/** What a server does with the file that it is asked for, the first time, the second time, and so on. */
export type Answer = (response: ServerResponse, file: Buffer, time: number) => void;

export const cut: Answer = (response, file) => {
  response.writeHead(200, { 'content-length': file.length });
  response.write(file.subarray(0, 1000), () => response.destroy());
};
/** Breaks off twice, and then hands out the file. */
export const cutTwice: Answer = (response, file, time) => {
  if (time <= 2) cut(response, file, time);
  else response.end(file);
};

/**
 * Serves Argo CD's manifest in place of GitHub, and takes it out of the person's cache. Hands back the variables by which
 * a command of the person's comes here for it.
 */
export async function startOrigin(
  person: Person,
  answer: Answer,
): Promise<{ env: Record<string, string>; close: () => void }> {
  const file = Buffer.from(await (await fetch(argocd.installUrl)).arrayBuffer());
  let time = 0;
  const server = createServer((_, response) => {
    time += 1;
    answer(response, file, time);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // The second holds what kubectl made of it: with that alone nothing would be downloaded.
  for (const kept of ['downloads', 'argo-cd'])
    await person.run(['rm', '-rf', join(person.home, '.cache', 'platform-ops', kept)]);
  const { port } = server.address() as AddressInfo;
  const loaded = pathToFileURL(join(person.clone, 'test', 'campaigns', 'outages', 'reroute.mjs')).href;
  return {
    env: {
      NODE_OPTIONS: `--import ${loaded}`,
      REROUTE: `${new URL(argocd.installUrl).host}=http://127.0.0.1:${port}`,
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
