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
export function sendRequest(
  method: 'GET' | 'PATCH',
  url: string,
  { headers = {}, body, agent, server, signal, timeout = 10_000 }: SendOptions = {},
): Promise<HttpResponse> {
  const deadline = AbortSignal.timeout(timeout);
  const options: RequestOptions = {
    method,
    headers,
    signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    ...(agent && { agent }),
    ...(server && withServerName(server)),
  };
  const failure = (error: Error) =>
    signal?.aborted ? new Interrupted() : deadline.aborted ? new Error(`no answer within ${timeout / 1000} s`) : error;
  return exchange(url, options, failure, body, (response, done) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => {
      const sentAt = Date.parse(response.headers.date ?? '');
      done({
        status: response.statusCode ?? 0,
        body: Buffer.concat(chunks).toString('utf8'),
        sentAt: Number.isNaN(sentAt) ? undefined : sentAt,
      });
    });
  });
}

/** Sends a request, and has `receive` make something of the answer. Whatever fails is thrown as `failure` makes it. */
function exchange<T>(
  url: string,
  options: RequestOptions,
  failure: (error: Error) => Error,
  body: string | undefined,
  receive: (response: IncomingMessage, done: (result: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(failure(error));
    if (options.signal?.aborted) return fail(new Error('aborted'));
    const answered = (response: IncomingMessage) => {
      response.on('error', fail);
      receive(response, resolve);
    };
    // The agent and the certificates are for https.
    const request = url.startsWith('https:')
      ? httpsRequest(url, options, answered)
      : httpRequest(url, { ...options, agent: undefined }, answered);
    request.on('error', fail);
    if (options.timeout !== undefined)
      request.on('timeout', () => request.destroy(new Error(`no word for ${(options.timeout ?? 0) / 1000} s`)));
    request.end(body);
  });
}

/** A connection of its own each time: one that is kept alive would go on with the certificate of yesterday. */
function withServerName({ name, ca }: { name: string; ca: string }) {
  return { servername: name, ca, agent: false as const };
}

/** What is kept of the answer. */
type ErrorResponse = Pick<HttpResponse, 'status' | 'body'>;

interface LinesOptions {
  agent: Agent;
  headers?: Record<string, string>;
  signal: AbortSignal;
  /** Milliseconds without a byte after which the connection counts as lost. */
  silence: number;
}

/**
 * GETs an address (https) whose answer goes on for long, and hands over each line of it as it comes. Resolves when the
 * server ends the answer; one with a status of 400 or more is returned whole, and none of its lines are. Throws what
 * the connection fails with, or `Interrupted`.
 */
export function getLines(url: string, options: LinesOptions, onLine: (line: string) => void): Promise<ErrorResponse> {
  const { agent, headers = {}, signal, silence } = options;
  const failure = (error: Error) => (signal.aborted ? new Interrupted() : error);
  return exchange(url, { agent, headers, signal, timeout: silence }, failure, undefined, (response, done) => {
    const status = response.statusCode ?? 0;
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      rest += text;
      if (status >= 400) return;
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
    response.on('end', () => done({ status, body: rest }));
  });
}
