import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { type Agent, request as httpsRequest } from 'node:https';
import { Interrupted } from '../errors.ts';

export interface Answer {
  status: number;
  body: string;
  /** When the server sent it, by its own clock: milliseconds since 1970, or undefined where it doesn't say. */
  sentAt: number | undefined;
}

interface RequestOptions {
  headers?: Record<string, string>;
  body?: string;
  agent?: Agent;
  /** For https: the name that the server's certificate has to bear, and the certificate (PEM) that has to vouch for it. */
  server?: { name: string; ca: string };
  signal?: AbortSignal;
  /** Milliseconds for the whole exchange. Default: 10 seconds. */
  timeout?: number;
}

/** GETs an address. Throws what the connection fails with, or `Interrupted`. */
export function get(url: string, options: RequestOptions = {}): Promise<Answer> {
  return exchange('GET', url, options);
}

/**
 * Sends a request. Node's `fetch` can neither send a Host header of our own nor use a client certificate, and both
 * are needed here. Throws what the connection fails with, or `Interrupted`.
 */
export function exchange(
  method: 'GET' | 'PATCH',
  url: string,
  { headers = {}, body, agent, server, signal, timeout = 10_000 }: RequestOptions = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new Interrupted());
      return;
    }
    const deadline = AbortSignal.timeout(timeout);
    const either = signal ? AbortSignal.any([signal, deadline]) : deadline;
    const fail = (error: Error) => {
      if (signal?.aborted) reject(new Interrupted());
      else reject(deadline.aborted ? new Error(`no answer within ${timeout / 1000} s`) : error);
    };
    const receive = (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        const sentAt = Date.parse(response.headers.date ?? '');
        resolve({
          status: response.statusCode ?? 0,
          body: Buffer.concat(chunks).toString('utf8'),
          sentAt: Number.isNaN(sentAt) ? undefined : sentAt,
        });
      });
    };
    const request: ClientRequest = url.startsWith('https:')
      ? httpsRequest(
          url,
          { method, headers, signal: either, ...(agent && { agent }), ...(server && checking(server)) },
          receive,
        )
      : httpRequest(url, { method, headers, signal: either }, receive);
    request.on('error', fail);
    request.end(body);
  });
}

/** A connection of its own each time: one that is kept alive would go on with the certificate of yesterday. */
function checking({ name, ca }: { name: string; ca: string }) {
  return { servername: name, ca, agent: false as const };
}
