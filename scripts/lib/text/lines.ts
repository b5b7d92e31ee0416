import type { IncomingMessage } from 'node:http';
import { type Agent, request } from 'node:https';
import type { Answer } from '../download/http.ts';
import { Interrupted } from '../errors.ts';

/** What is kept of the answer. */
type Refused = Pick<Answer, 'status' | 'body'>;

interface LinesOptions {
  agent: Agent;
  headers?: Record<string, string>;
  signal: AbortSignal;
  /** Milliseconds without a byte after which the connection counts as lost. */
  silence: number;
}

/**
 * GETs an address (https) whose answer goes on for long, and hands over each line of it as it comes. Resolves when the
 * server ends the answer; one with a status of 400 or more is handed back whole, and none of its lines are. Throws what
 * the connection fails with, or `Interrupted`.
 */
export function getLines(url: string, options: LinesOptions, onLine: (line: string) => void): Promise<Refused> {
  const { agent, headers = {}, signal, silence } = options;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(signal.aborted ? new Interrupted() : error);
    if (signal.aborted) {
      fail(new Interrupted());
      return;
    }
    const receive = (response: IncomingMessage) => {
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
      response.on('error', fail);
      response.on('end', () => resolve({ status, body: rest }));
    };
    const asking = request(url, { agent, headers, signal, timeout: silence }, receive);
    asking.on('timeout', () => asking.destroy(new Error(`no word for ${silence / 1000} s`)));
    asking.on('error', fail);
    asking.end();
  });
}
