import { request as httpRequest, type IncomingMessage } from 'node:http';
import { type Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { Interrupted } from '../errors.ts';

export interface HttpResponse {
  status: number;
  body: string;
  /** When the server sent it, by its own clock: milliseconds since 1970, or undefined where it doesn't say. */
  sentAt: number | undefined;
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
 * Sends a request. Node's `fetch` can neither send a Host header of our own nor use a client certificate, and both
 * are needed here. Throws what the connection fails with, or `Interrupted`.
 */
export async function sendRequest(
  method: 'GET' | 'PATCH',
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
      body: Buffer.concat(chunks).toString('utf8'),
      sentAt: Number.isNaN(sentAt) ? undefined : sentAt,
    };
  } catch (error) {
    if (signal?.aborted) throw new Interrupted();
    throw deadline.aborted ? new Error(`no answer within ${timeout / 1000} s`) : error;
  }
}

/** Sends a request. @returns the beginning of the answer; what goes wrong later is thrown where that is read. */
function answerTo(url: string, body: string | undefined, options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // The agent and the certificates are for https.
    const request = url.startsWith('https:')
      ? httpsRequest(url, options)
      : httpRequest(url, { ...options, agent: undefined });
    request.on('error', reject);
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
