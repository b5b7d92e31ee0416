import { Interrupted } from '../lib/errors.ts';
import { startProcess } from '../lib/exec.ts';
import type { ClusterContext } from './context.ts';
import type { EndpointSlice } from './types.ts';
import { isOfService } from './workloads.ts';

/** A `kubectl port-forward` to one pod. */
export interface PortForward {
  /** The port of 127.0.0.1 that it listens on. */
  port: number;
  /** Resolves when it has ended, by itself, by `close` or by the signal, with kubectl's last words. */
  ended: Promise<string>;
  close(): void;
}

/** It ended, or said nothing for too long, before it listened. */
export class PortForwardFailed extends Error {
  override readonly name = 'PortForwardFailed';
}

/** Milliseconds that kubectl may take until it listens; usually it is a fifth of a second. */
const timeoutMs = 15_000;
const listens = /^Forwarding from 127\.0\.0\.1:(\d+) -> /m;

/**
 * Starts a kubectl that runs until the signal fires, and waits until it listens on the local port, or on one that the system
 * chooses.
 *
 * @throws PortForwardFailed with kubectl's words, or Interrupted.
 */
export async function startPortForward(
  context: ClusterContext,
  { namespace, pod, port }: Endpoint,
  signal: AbortSignal,
  localPort?: number,
): Promise<PortForward> {
  const kubectl = await context.kubectl();
  const ports = `${localPort ?? ''}:${port}`;
  const command = ['port-forward', '--address=127.0.0.1', `--namespace=${namespace}`, `pod/${pod}`, ports];
  const closing = new AbortController();
  const close = () => closing.abort();
  if (signal.aborted) throw new Interrupted();
  const ending = AbortSignal.any([signal, closing.signal]);
  // It tells of every connection: what it says is looked at as it comes, and not kept.
  const settings = { env: context.config.childEnv.tool, signal: ending, buffer: false };
  const { child } = await startProcess(kubectl.command(command), settings);
  let lastWords = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    lastWords = `${lastWords}${text}`.slice(-2000);
  });
  const ended = child.then(({ shortMessage }) => lastLine(lastWords) ?? shortMessage ?? 'it ended');
  const listening = new Promise<number>((resolve) => {
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said = said.length > 1000 ? said : said + text;
      const found = listens.exec(said)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
  });
  const deadline = setTimeout(close, timeoutMs);
  const first = await Promise.race([listening, ended]);
  clearTimeout(deadline);
  if (typeof first === 'number') return { port: first, ended, close };
  if (signal.aborted) throw new Interrupted();
  throw new PortForwardFailed(closing.signal.aborted ? `kubectl said nothing for ${timeoutMs / 1000} s` : first);
}

function lastLine(text: string): string | undefined {
  return (
    text
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^error: /, '') || undefined
  );
}

/** A port of a Service, by its name. */
interface ServicePort {
  namespace: string;
  service: string;
  port: string;
}

/** A pod, and the port in it that a Service leads to. */
export interface Endpoint {
  namespace: string;
  pod: string;
  uid: string;
  port: number;
}

export const slicesPath = '/apis/discovery.k8s.io/v1/endpointslices';

/**
 * The pod to lead to: the one that it is now, for as long as that is ready, else another that is; a pod that is about to
 * end, but still answers, only where no other does. Undefined where none does.
 */
export function endpointOf(
  slices: readonly EndpointSlice[],
  { namespace, service, port }: ServicePort,
  now: Endpoint | undefined,
): Endpoint | undefined {
  const there = slices.filter(({ metadata }) => metadata.namespace === namespace);
  const named = there.filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service);
  // A slice has the labels of its Service, which may have another name.
  const own = named.length > 0 ? named : there.filter(isOfService(service));
  const found = own.flatMap(({ endpoints, ports }) => {
    // A Service with a single port may leave its name out, or have been given another one.
    const number = (ports?.find(({ name }) => name === port) ?? (ports?.length === 1 ? ports[0] : undefined))?.port;
    if (number === undefined) return [];
    return (endpoints ?? []).flatMap(({ conditions = {}, targetRef }) => {
      if (targetRef?.kind !== 'Pod' || targetRef.name === undefined) return [];
      const endpoint = { namespace, pod: targetRef.name, uid: targetRef.uid ?? '', port: number };
      return [{ endpoint, ready: conditions.ready !== false, serving: conditions.serving !== false }];
    });
  });
  const ready = found.filter((one) => one.ready);
  const usable = ready.length > 0 ? ready : found.filter((one) => one.serving);
  return (usable.find(({ endpoint }) => isSameEndpoint(endpoint, now)) ?? usable[0])?.endpoint;
}

/** Whether both are the same port of the same pod; a pod that was recreated under the same name is another one. */
export function isSameEndpoint(a: Endpoint | undefined, b: Endpoint | undefined): boolean {
  return a?.uid === b?.uid && a?.pod === b?.pod && a?.port === b?.port;
}
