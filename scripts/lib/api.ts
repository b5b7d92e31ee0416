import { Agent } from 'node:https';
import { parse } from 'yaml';
import { messageOf, UserError } from './errors.ts';
import { type Answer, get } from './http.ts';
import { getLines } from './lines.ts';
import { collectionPath, type KubeObject } from './objects.ts';
import { again, type Retry } from './retry.ts';

/** The API server, read only. Everything that changes the cluster goes through kubectl. */
export interface ApiServer {
  /** The answer of a path as JSON. Throws `ApiError`, or `Unreachable`. */
  json<T>(path: string): Promise<T>;
  text(path: string): Promise<string>;
  /** Hands over each line of an answer that goes on, until the server ends it. `silence`: milliseconds without a word. */
  lines(path: string, silence: number, onLine: (line: string) => void): Promise<void>;
  /** All objects of a kind, in all namespaces or in one; none where the cluster doesn't know the kind. */
  list<T extends KubeObject>(apiVersion: string, kind: string, namespace?: string): Promise<T[]>;
  /** The same, without spec and status: quick also where the objects are large. `resource` is the plural, where it is known. */
  listMetadata(apiVersion: string, kind: string, resource?: string): Promise<KubeObject[]>;
  close(): void;
}

/** The API server refused, or does not know what it was asked for. */
export class ApiError extends UserError {
  override readonly name = 'ApiError';
  readonly status: number;
  constructor(path: string, status: number, body: string) {
    super(`the API server answered ${status} to ${path}: ${body.slice(0, 300)}`, { hint: 'npm run doctor' });
    this.status = status;
  }
}

/** Nothing answers at the API server's address, or not in time. */
export class Unreachable extends UserError {
  override readonly name = 'Unreachable';
}

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

const metadataOnly = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';

/**
 * Connects with a kubeconfig as kind writes it: one cluster, one user with a certificate. A process of kubectl costs
 * a tenth of a second of a core each time, and waiting asks often; a kept-alive connection costs next to nothing.
 * `retry` says for how long objects are asked for again while the API server restarts; without it, not at all.
 */
export function connect(kubeconfig: string, signal: AbortSignal, retry?: Retry): ApiServer {
  const config = parse(kubeconfig) as Kubeconfig;
  const cluster = config.clusters[0]?.cluster;
  const user = config.users[0]?.user;
  if (!cluster || !user) throw new Error('the kubeconfig names no cluster or no user');
  const decode = (text: string) => Buffer.from(text, 'base64');
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 8,
    ca: decode(cluster['certificate-authority-data']),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  });

  const unreachable = (error: unknown): never => {
    if (signal.aborted) throw error;
    throw new Unreachable(`the API server at ${cluster.server} does not answer: ${messageOf(error)}`, {
      hint: 'npm run up',
    });
  };
  const accepted = (path: string, answer: Answer) => {
    if (answer.status >= 400) throw new ApiError(path, answer.status, answer.body);
    return answer.body;
  };
  const text = async (path: string, accept = 'application/json, */*') =>
    accepted(path, await get(cluster.server + path, { agent, signal, headers: { accept } }).catch(unreachable));
  const patiently = (path: string, accept?: string) =>
    retry ? again(() => text(path, accept), whyItPasses, retry) : text(path, accept);
  const listAt = async <T extends KubeObject>(path: string, apiVersion: string, kind: string, accept?: string) => {
    try {
      const body = JSON.parse(await patiently(path, accept)) as { items: T[] | null };
      // Items of a list leave out what the list as a whole says.
      return (body.items ?? []).map((item) => ({ ...item, apiVersion, kind }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return [];
      throw error;
    }
  };
  return {
    json: async <T>(path: string) => JSON.parse(await patiently(path)) as T,
    text: (path) => text(path),
    lines: async (path, silence, onLine) => {
      accepted(path, await getLines(cluster.server + path, { agent, signal, silence }, onLine).catch(unreachable));
    },
    list: (apiVersion, kind, namespace) => listAt(collectionPath(apiVersion, kind, namespace), apiVersion, kind),
    listMetadata: (apiVersion, kind, resource) =>
      listAt(collectionPath(apiVersion, kind, undefined, resource), apiVersion, kind, metadataOnly),
    close: () => agent.destroy(),
  };
}

function whyItPasses(error: unknown): string | undefined {
  const passes = error instanceof Unreachable || (error instanceof ApiError && [429, 503].includes(error.status));
  return passes ? messageOf(error) : undefined;
}
