import { UserError } from '../errors.ts';
import { ProxyError } from './agent.ts';
import { rootOf } from './fetch.ts';

/** What stood in the way: the network, the server's answer, the file's content, or the disk. */
export type DownloadProblem = 'unreachable' | 'status' | 'checksum' | 'storage';

interface Description {
  problem: DownloadProblem;
  why: string;
  hint: string;
  retryable?: boolean;
  cause?: unknown;
}

/** A file that could not be had. `retryable` says whether another attempt right away has a chance. */
export class DownloadError extends UserError {
  override readonly name = 'DownloadError';
  readonly problem: DownloadProblem;
  readonly retryable: boolean;

  constructor(url: string, { problem, why, hint, retryable = false, cause }: Description) {
    const { host, pathname } = new URL(url);
    super(`Could not download ${pathname.split('/').at(-1)} from ${host}: ${why}.`, {
      id: 'download-failed',
      hint,
      cause,
    });
    this.problem = problem;
    this.retryable = retryable;
  }
}

const checkNetwork = 'Check the connection, the VPN and the proxy, then run the command again.';
const trustProxy =
  "If a company proxy opens TLS, set NODE_EXTRA_CA_CERTS to the file with its certificate; otherwise check the machine's clock.";

interface Rule {
  code: RegExp;
  why: string;
  hint?: string;
  problem?: DownloadProblem;
  retryable?: boolean;
}

// From the most to the least specific: the first match wins.
const rules: readonly Rule[] = [
  { code: /^(ENOTFOUND|EAI_)/, why: 'its name cannot be resolved (DNS)' },
  { code: /^ECONNREFUSED$/, why: 'it refused the connection' },
  { code: /^(ENETUNREACH|EHOSTUNREACH|ENETDOWN)$/, why: 'there is no route to it' },
  { code: /TIMEOUT|^ETIMEDOUT$/, why: 'it did not answer in time' },
  { code: /^(ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_.*LENGTH.*)$/, why: 'the connection broke off' },
  { code: /CERT|SSL|TLS|SIGN|EPROTO|^UNABLE_TO_/, why: 'TLS failed', hint: trustProxy, retryable: false },
  {
    code: /^(ENOSPC|EDQUOT|EROFS|EACCES|EPERM|ENOTDIR|EISDIR|EEXIST)$/,
    why: 'the file cannot be written',
    hint: 'Make room in the cache folder, or make it writable, then run the command again.',
    problem: 'storage',
    retryable: false,
  },
];

/** Turns what fetch or the file system threw into a sentence. */
export function toDownloadError(url: string, error: unknown): DownloadError {
  if (error instanceof DownloadError) return error;
  if (error instanceof ProxyError) {
    const { message, hint, passing } = error;
    return new DownloadError(url, { problem: 'unreachable', why: message, hint, retryable: passing, cause: error });
  }
  const { code, message } = rootOf(error);
  const rule: Rule = rules.find((one) => one.code.test(code)) ?? { code: /^/, why: message };
  return new DownloadError(url, {
    problem: rule.problem ?? 'unreachable',
    why: code === '' ? rule.why : `${rule.why} (${code})`,
    hint: rule.hint ?? checkNetwork,
    retryable: rule.retryable ?? true,
    cause: error,
  });
}

/** The server answered, but with an error. A 5xx or 429 passes more often than not. */
export function httpStatusError(url: string, status: number): DownloadError {
  const hint =
    status === 404 ? 'The server has no such file: check the version that is asked for.' : 'Try again in some minutes.';
  return new DownloadError(url, {
    problem: 'status',
    why: `it answered HTTP ${status}`,
    hint: status === 401 || status === 403 || status === 407 ? checkNetwork : hint,
    retryable: status >= 500 || status === 429,
  });
}

/** The file came, but not fast enough. */
export function downloadTimeoutError(url: string, timeout: number): DownloadError {
  return new DownloadError(url, {
    problem: 'unreachable',
    why: `it did not come whole within ${timeout / 1000} s`,
    hint: 'The line may be slow: npm run up -- --timeout 1800 gives it half an hour.',
  });
}
