import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a mirror treats the layers that it is asked for. */
export type Treatment =
  /** Every layer breaks off after a hundred bytes, and whoever asks for the rest gets nothing. */
  | 'cut'
  /** Bytes a second. */
  | { slow: number }
  /** Every request is answered so. */
  | { status: number };

export interface Mirror {
  url: string;
  /** From now on everything is passed on as it is. */
  heal(): void;
  close(): void;
}

/**
 * Stands between a node and a registry, passes on what it is asked for, and harms it. The token service is not behind it:
 * the node goes there by itself.
 */
export async function startMirror(address: string, upstream: string, treatment: Treatment): Promise<Mirror> {
  let harm: Treatment | undefined = treatment;
  const cutOnce = new Set<string>();
  const server = createServer(async (request, response) => {
    const isLayer = request.url?.includes('/blobs/') === true;
    const { slow, status } = typeof harm === 'object' ? { slow: undefined, status: undefined, ...harm } : {};
    if (status !== undefined) {
      response.writeHead(status).end();
      return;
    }
    try {
      const kept = ['accept', 'authorization', 'range'].flatMap((name) => {
        const value = request.headers[name];
        return typeof value === 'string' ? [[name, value] as [string, string]] : [];
      });
      const answer = await fetch(upstream + request.url, { method: request.method ?? 'GET', headers: kept });
      const headers = [...answer.headers].filter(([name]) => name !== 'content-encoding' && name !== 'connection');
      response.writeHead(answer.status, Object.fromEntries(headers));
      for await (const chunk of answer.body ?? []) {
        const bytes = chunk as Uint8Array;
        if (isLayer && harm === 'cut') {
          const { pathname } = new URL(request.url ?? '', upstream);
          if (cutOnce.has(pathname)) response.flushHeaders();
          else response.write(bytes.subarray(0, 100));
          cutOnce.add(pathname);
          setTimeout(() => response.destroy(), 50);
          return;
        }
        if (isLayer && slow !== undefined) await trickle(bytes, slow, (part) => response.write(part));
        else response.write(bytes);
        if (response.destroyed) return;
      }
      response.end();
    } catch {
      // Whoever asked is gone, or the registry is: either way there is nothing more to say.
      response.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  const heal = () => {
    harm = undefined;
  };
  return { url: `http://${address}:${port}`, heal, close };
}

async function trickle(bytes: Uint8Array, perSecond: number, write: (part: Uint8Array) => boolean): Promise<void> {
  for (let at = 0; at < bytes.length; at += perSecond) {
    if (!write(bytes.subarray(at, at + perSecond))) return;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
