import type { ChildProcess } from 'node:child_process';
import { Interrupted } from '../../lib/errors.ts';
import { takeCharge, waiting } from '../../lib/processes/children.ts';
import type { Context } from '../context.ts';
import type { Endpoint } from './endpoints.ts';

/** A `kubectl port-forward` to one pod. */
export interface Tunnel {
  /** The port of 127.0.0.1 that it listens on, which the system chose. */
  port: number;
  /** Resolves when it has ended, by itself or by `close`, with kubectl's last words. */
  ended: Promise<string>;
  close(): void;
}

/** It ended, or said nothing for too long, before it listened. */
export class TunnelFailed extends Error {
  override readonly name = 'TunnelFailed';
}

/** Milliseconds that kubectl may take until it listens; usually it is a fifth of a second. */
const patience = 15_000;
const listens = /^Forwarding from 127\.0\.0\.1:(\d+) -> /m;

/**
 * Starts a tunnel and waits until it listens, unless the signal fires before. Throws `TunnelFailed` with kubectl's words,
 * or `Interrupted`.
 */
export async function openTunnel(context: Context, endpoint: Endpoint, signal: AbortSignal): Promise<Tunnel> {
  const { namespace, pod, port } = endpoint;
  const kubectl = await context.kubectl();
  const command = ['port-forward', '--address=127.0.0.1', `--namespace=${namespace}`, `pod/${pod}`, `:${port}`];
  const [file, ...args] = waiting(kubectl.command(command));
  const { execa } = await import('execa');
  const closing = new AbortController();
  const close = () => closing.abort();
  if (signal.aborted) throw new Interrupted();
  const child = execa(file, args, {
    env: context.config.childEnv,
    extendEnv: false,
    detached: true,
    // It tells of every connection: what it says is looked at as it comes, and not kept.
    buffer: false,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    reject: false,
  });
  takeCharge(child as unknown as ChildProcess, closing.signal);
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
  signal.addEventListener('abort', close);
  const deadline = setTimeout(close, patience);
  const first = await Promise.race([listening, ended]);
  clearTimeout(deadline);
  signal.removeEventListener('abort', close);
  if (typeof first === 'number') return { port: first, ended, close };
  if (signal.aborted) throw new Interrupted();
  throw new TunnelFailed(closing.signal.aborted ? `kubectl said nothing for ${patience / 1000} s` : first);
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
