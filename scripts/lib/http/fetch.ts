import { Interrupted, messageOf } from '../errors.ts';
import { type HttpResponse, sendRequest } from './client.ts';

export interface FetchOptions {
  method?: 'GET' | 'HEAD';
  headers?: Record<string, string>;
  signal: AbortSignal;
  /** Milliseconds for the whole exchange. Default: 8 seconds. */
  timeout?: number;
}

/** No answer that says anything: the service can't be reached, is down, or has had enough of us for now. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
  readonly host: string;
  constructor(url: string, reason: string, cause?: unknown) {
    const { host } = new URL(url);
    super(`${host} ${reason}`, { cause });
    this.host = host;
  }
}

/**
 * Asks a web service. A redirect is returned as it is, so that what the headers carry goes to nobody else. Throws
 * `Unanswered`, also for a 5xx and a 429, or `Interrupted` once the signal fired.
 */
export async function fetchReply(url: string, options: FetchOptions): Promise<HttpResponse> {
  const { method = 'GET', timeout = 8000, ...others } = options;
  let reply: HttpResponse;
  try {
    reply = await sendRequest(method, url, { ...others, timeout });
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    const { code, message } = rootOf(error);
    const silent = `did not answer within ${timeout / 1000} s`;
    throw new Unanswered(url, code === 'ETIMEDOUT' ? silent : `can't be reached: ${code || message}`, error);
  }
  if (reply.status >= 500 || reply.status === 429) throw new Unanswered(url, `answered HTTP ${reply.status}`);
  return reply;
}

/** fetch wraps the reason: "fetch failed", caused by an error with a code, as ENOTFOUND, or by a sentence. */
export function rootOf(error: unknown): { code: string; message: string } {
  let deepest = error;
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return { code: at.code, message: messageOf(at) };
    deepest = at;
  }
  return { code: '', message: messageOf(deepest) };
}
