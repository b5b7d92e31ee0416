import { parse } from 'yaml';
import { messageOf, shortened, UserError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { getLines, type HttpResponse, sendRequest } from '../../lib/http/client.ts';
import { type RetryOptions, withRetry } from '../../lib/retry.ts';
import { jsonIn } from '../../lib/text.ts';
import { collectionPath, type KubeObject } from '../objects.ts';
import { createConnection, type KubeconfigCluster, type KubeconfigUser, loginOf } from './connection.ts';

/** The API server, read only: a dry run is the most that it is asked for. Everything that changes the cluster goes through kubectl. */
export type ApiServer = ReturnType<typeof connect>;

const lacksRight =
  'This login lacks that right in the cluster: kubectl auth can-i --list shows what it may do. Use a login with the ClusterRole cluster-admin.';

/** The API server refused, or does not know what it was asked for. */
export class ApiError extends UserError {
  override readonly name = 'ApiError';
  readonly status: number;
  /** Why, in the API server's words. */
  readonly reason: string;
  /** Whether the API server is not ready yet, and refuses what it will allow. */
  readonly starting: boolean;
  constructor(path: string, status: number, body: string, starting = false) {
    super(`the API server answered ${status} to ${path}: ${shortened(reasonIn(body), 300)}`, {
      id: 'api-server-refuses',
      hint: status === 403 ? lacksRight : 'npm run doctor',
    });
    this.status = status;
    this.reason = reasonIn(body);
    this.starting = starting;
  }
}

/** Nothing answers at the API server's address, or not in time. */
export class Unreachable extends UserError {
  override readonly name = 'Unreachable';
}

/**
 * By the clock of this machine, the API server's certificate has ended or is not valid yet. Nothing else can be wrong with
 * it, and it does not pass, so nobody waits on it.
 */
export class WrongClock extends UserError {
  override readonly name = 'WrongClock';
  constructor(server: string, code: string) {
    const when = code === 'CERT_NOT_YET_VALID' ? 'is not valid yet' : 'has ended';
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    super(`the certificate of the API server at ${server} ${when}, by the clock of this machine, which says ${now}`, {
      id: 'clock',
      hint: 'If that is not the time, set the clock (timedatectl set-ntp true; on macOS: sudo sntp -sS time.apple.com), then run the command again. If it is, the cluster is older than its certificates: npm run down && npm run up',
    });
  }
}

const metadataOnly = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
const metadataOfOne = metadataOnly.replace('List;', ';');

/**
 * Connects with a kubeconfig that has one cluster and one user, without a file beside it. A process of kubectl costs
 * a tenth of a second of a core each time, and waiting asks often; a kept-alive connection costs next to nothing.
 * `retry` says for how long objects are asked for again while the API server restarts; without it, not at all. `exec` runs
 * the program by which some log in. Throws a `UserError` for a cluster that can't be reached in this way.
 */
export function connect(kubeconfig: string, signal: AbortSignal, retry?: RetryOptions, exec?: Exec) {
  const { clusters, users } = parse(kubeconfig) as {
    clusters: { cluster: KubeconfigCluster }[];
    users: { user: KubeconfigUser }[];
  };
  const cluster = clusters[0]?.cluster;
  const user = users[0]?.user;
  if (!cluster || !user) throw new Error('the kubeconfig names no cluster or no user');
  const line = createConnection(cluster, loginOf(user, { exec, cluster }));

  const unreachable = (error: unknown): never => {
    if (signal.aborted) throw error;
    const { code = '' } = error as NodeJS.ErrnoException;
    if (/^CERT_(NOT_YET_VALID|HAS_EXPIRED)$/.test(code)) throw new WrongClock(cluster.server, code);
    throw new Unreachable(`the API server at ${cluster.server} does not answer: ${messageOf(error)}`, {
      id: 'api-server-silent',
      hint: 'npm run up',
    });
  };
  const accepted = <T extends Pick<HttpResponse, 'status' | 'body'>>(path: string, answer: T): T => {
    if (answer.status >= 400) throw new ApiError(path, answer.status, answer.body);
    return answer;
  };
  const request = async (
    method: 'GET' | 'PATCH',
    path: string,
    headers: Record<string, string> = {},
    body?: string,
  ) => {
    const { agent, identity } = await line.open();
    const all = { ...headers, ...identity.headers };
    return sendRequest(method, cluster.server + path, {
      agent,
      signal,
      headers: all,
      ...(body !== undefined && { body }),
    }).catch(unreachable);
  };
  const send = async (method: 'GET' | 'PATCH', path: string, headers: Record<string, string>, body?: string) => {
    const once = () => request(method, path, headers, body);
    const answer = await once();
    const renewed = answer.status === 401 && line.renew() ? await once() : answer;
    if (renewed.status !== 403) return accepted(path, renewed);
    if (await starting()) throw new ApiError(path, 403, renewed.body, true);
    // It may have become ready between the two answers.
    return accepted(path, await once());
  };
  // Everybody may read /readyz (the ClusterRole system:public-info-viewer). Until the API server has read that role it forbids
  // this as well, and then the check informer-sync fails: both were seen of 1.36.4, half a second each.
  const starting = async () => {
    const { status } = await request('GET', '/readyz').catch((error: unknown) => {
      if (!(error instanceof Unreachable)) throw error;
      return { status: 503 };
    });
    return status >= 500 || status === 403;
  };
  const ask = (path: string, accept = 'application/json, */*') => send('GET', path, { accept });
  const patiently = (path: string, accept?: string) =>
    retry ? withRetry(() => ask(path, accept), whyItPasses, retry) : ask(path, accept);
  const listAt = async <T extends KubeObject>(path: string, apiVersion: string, kind: string, accept?: string) => {
    try {
      const body = JSON.parse((await patiently(path, accept)).body) as { items: T[] | null };
      // Items of a list leave out what the list as a whole says.
      return (body.items ?? []).map((item) => ({ ...item, apiVersion, kind }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return [];
      throw error;
    }
  };
  const dryRun = async <T extends KubeObject>(
    path: string,
    yaml: string,
    manager: string,
    accept: string,
    more = {},
  ) => {
    const query = new URLSearchParams({ dryRun: 'All', fieldManager: manager, force: 'true', ...more });
    const headers = { accept, 'content-type': 'application/apply-patch+yaml' };
    return JSON.parse((await send('PATCH', `${path}?${query}`, headers, yaml)).body) as T;
  };
  return {
    /** The answer of a path as JSON. Throws `ApiError`, or `Unreachable`. */
    json: async <T>(path: string) => JSON.parse((await patiently(path)).body) as T,
    /** The answer as it is, asked for once. */
    text: async (path: string) => (await ask(path)).body,
    /**
     * Hands over each line of an answer that goes on, until the server ends it; resolves to what stood behind the last line
     * break. Nothing more is read while a line is worked on. `silence`: milliseconds without a word, 0 for as many as it takes.
     */
    async lines(path: string, silence: number, onLine: (line: string) => void | Promise<void>) {
      const { streams: agent, identity } = await line.open();
      const options = { agent, headers: identity.headers, signal, silence };
      // A bug of the reader says nothing of the API server.
      let bug: unknown;
      const take = async (line: string) => {
        try {
          await onLine(line);
        } catch (error) {
          bug = error;
          throw error;
        }
      };
      const answer = await getLines(cluster.server + path, options, take).catch((error: unknown) => {
        if (bug !== undefined) throw bug;
        return unreachable(error);
      });
      if (answer.status === 403) throw new ApiError(path, 403, answer.body, await starting());
      return accepted(path, answer).body;
    },
    /** All objects of a kind, in all namespaces or in one; none where the cluster doesn't know the kind. */
    list: <T extends KubeObject>(apiVersion: string, kind: string, namespace?: string) =>
      listAt<T>(collectionPath(apiVersion, kind, namespace), apiVersion, kind),
    /** The same, without spec and status: quick also where the objects are large. `resource` is the plural, where it is known. */
    listMetadata: (apiVersion: string, kind: string, resource?: string) =>
      listAt(collectionPath(apiVersion, kind, undefined, resource), apiVersion, kind, metadataOnly),
    /**
     * What the object at a path would be once `manager` had applied this YAML on the server's side, with what other managers
     * said of the same fields overruled. A dry run: it goes through admission, and nothing is kept of it.
     */
    dryRunApply: <T extends KubeObject>(path: string, yaml: string, manager: string) =>
      dryRun<T>(path, yaml, manager, 'application/json'),
    /** The same, of which only the metadata come back, and without a word on unknown fields: for many objects at once. */
    dryRunMetadata: (path: string, yaml: string, manager: string) =>
      dryRun(path, yaml, manager, metadataOfOne, { fieldValidation: 'Ignore' }),
    /** Whether the API server is still starting: it then refuses (403) what it will allow once it has read its roles. */
    starting,
    /** What the API server's clock says, in milliseconds since 1970. That of a virtual machine may differ from ours. */
    time: async () => (await patiently('/version')).sentAt ?? Date.now(),
    close: () => line.close(),
  };
}

/** @returns all objects of a kind in some namespaces. @throws what `list` throws. */
export async function listIn<T extends KubeObject>(
  api: Pick<ApiServer, 'list'>,
  apiVersion: string,
  kind: string,
  namespaces: readonly string[],
): Promise<T[]> {
  return (await Promise.all(namespaces.map((namespace) => api.list<T>(apiVersion, kind, namespace)))).flat();
}

/** The answer of a path as JSON, or undefined where the API server has nothing there. Throws `ApiError`, or `Unreachable`. */
export async function jsonIfThere<T>(api: Pick<ApiServer, 'json'>, path: string): Promise<T | undefined> {
  try {
    return await api.json<T>(path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** For `catch`: gives this where the API server refuses or does not answer. All else is thrown, Ctrl-C too. */
export function withoutAnswer<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof ApiError || error instanceof Unreachable) return instead;
    throw error;
  };
}

/**
 * Whether an answer passes by itself: of a server that is busy or that starts, or about a namespace that is being
 * terminated. Any other 403 is final: the login lacks the right.
 */
export function isPassing(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  const { status, starting, reason } = error;
  return status >= 500 || status === 429 || (status === 403 && (starting || /being terminated/.test(reason)));
}

function whyItPasses(error: unknown): string | undefined {
  // What the connection failed with differs from try to try.
  if (error instanceof Unreachable) return error.message.replace(/(does not answer): .*/s, '$1');
  return isPassing(error) && [403, 429, 503].includes(error.status) ? error.message : undefined;
}

/** The sentence in an answer of the API server, which says it in an object of kind Status, as text otherwise. */
function reasonIn(body: string): string {
  const { message } = jsonIn<{ message: unknown }>(body);
  return typeof message === 'string' && message !== '' ? message : body.trim();
}
