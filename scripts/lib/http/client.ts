import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, RequestOptions } from 'node:http';
import type { Agent } from 'node:https';
import { Interrupted } from '../errors.ts';
import { explained, requestOf, routeTo } from './agent.ts';

export interface HttpResponse {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** When the server sent it, by its own clock: milliseconds since 1970, or undefined where it doesn't say. */
  sentAt: number | undefined;
}

/** A header of an answer, by its name in lower case. */
export function headerOf({ headers }: Pick<HttpResponse, 'headers'>, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

interface SendOptions {
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
export function httpGet(url: string, options: SendOptions = {}): Promise<HttpResponse> {
  return sendRequest('GET', url, options);
}

/**
 * Sends a request. Node's `fetch` can neither send a Host header of our own nor use a client certificate, and before Node.js 24 it
 * knows no proxy. Throws what the connection fails with, or `Interrupted`.
 */
export async function sendRequest(
  method: 'GET' | 'HEAD' | 'PATCH',
  url: string,
  { headers = {}, body, agent, server, signal, timeout = 10_000 }: SendOptions = {},
): Promise<HttpResponse> {
  const deadline = AbortSignal.timeout(timeout);
  try {
    const response = await answerTo(url, body, {
      method,
      headers,
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      ...(agent && { agent }),
      ...(server && withServerName(server)),
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const sentAt = Date.parse(response.headers.date ?? '');
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: Buffer.concat(chunks).toString('utf8'),
      sentAt: Number.isNaN(sentAt) ? undefined : sentAt,
    };
  } catch (error) {
    if (signal?.aborted) throw new Interrupted();
    if (!deadline.aborted) throw error;
    throw Object.assign(new Error(`no answer within ${timeout / 1000} s`), { code: 'ETIMEDOUT' });
  }
}

type Options = RequestOptions & { headers?: OutgoingHttpHeaders };

/**
 * Sends a request, by the proxy that is set for the address where it has no agent of its own, as everything in here.
 * @returns the beginning of the answer; what goes wrong later is thrown where that is read.
 * @throws ProxyError, or what the connection fails with.
 */
export function answerTo(url: string, body: string | undefined, options: Options): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // The agent and the certificates are for https.
    const { agent, ...others } = options;
    const route = agent === undefined || url.startsWith('http:') ? routeTo(url, options.headers) : { url, agent };
    const request = requestOf(route.url, { ...others, ...route });
    request.on('error', (error) => reject(agent === undefined ? explained(url, error) : error));
    let heard: IncomingMessage | undefined;
    request.on('response', (response) => {
      heard = response;
      resolve(response);
    });
    // Also in the middle of the answer, whose reader then hears of this, not of a connection that broke off.
    request.on('timeout', () =>
      (heard ?? request).destroy(new Error(`no word for ${(options.timeout ?? 0) / 1000} s`)),
    );
    request.end(body);
  });
}

/** A connection of its own each time: one that is kept alive would go on with the certificate of yesterday. */
function withServerName({ name, ca }: { name: string; ca: string }) {
  return { servername: name, ca, agent: false as const };
}

interface LinesOptions {
  agent: Agent;
  headers?: Record<string, string>;
  signal: AbortSignal;
  /** Milliseconds without a byte after which the connection counts as lost. */
  silence: number;
}

/**
 * GETs an address whose answer goes on for long, and hands over each line of it as it comes. Nothing more is read while a line
 * is worked on.
 * @returns when the server ends the answer; one with a status of 400 or more is returned whole, and none of its lines are.
 * @throws what the connection fails with, or `Interrupted`.
 */
export async function getLines(
  url: string,
  { agent, headers = {}, signal, silence }: LinesOptions,
  onLine: (line: string) => void | Promise<void>,
): Promise<Pick<HttpResponse, 'status' | 'body'>> {
  try {
    const response = await answerTo(url, undefined, { agent, headers, signal, timeout: silence });
    const status = response.statusCode ?? 0;
    let rest = '';
    for await (const text of response.setEncoding('utf8')) {
      rest += text;
      if (status >= 400) continue;
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) await onLine(line);
    }
    return { status, body: rest };
  } catch (error) {
    throw signal.aborted ? new Interrupted() : error;
  }
}
