import { Interrupted, messageOf } from '../errors.ts';

/** What a web service answered. */
export interface Reply {
  status: number;
  headers: Headers;
  body: string;
}

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
export async function fetchReply(url: string, options: FetchOptions): Promise<Reply> {
  const { method = 'GET', headers = {}, signal, timeout = 8000 } = options;
  if (signal.aborted) throw new Interrupted();
  const deadline = AbortSignal.timeout(timeout);
  let reply: Reply;
  try {
    const response = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.any([signal, deadline]),
    });
    reply = { status: response.status, headers: response.headers, body: await response.text() };
  } catch (error) {
    if (signal.aborted) throw new Interrupted();
    const { code, message } = rootOf(error);
    const reason = deadline.aborted
      ? `did not answer within ${timeout / 1000} s`
      : `can't be reached: ${code || message}`;
    throw new Unanswered(url, reason, error);
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
