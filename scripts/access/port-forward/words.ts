import { columns } from '../../lib/text.ts';
import type { Change, Line } from './line.ts';

/** Where a line is found on this machine. An address in numbers: `localhost` may mean another program, on ::1. */
export function urlOf({ destination, door }: Pick<Line, 'destination' | 'door'>): string {
  return destination.url ?? `http://127.0.0.1:${door.port}${destination.path}`;
}

/** The addresses, and how to log in there. */
export function addressLines(lines: readonly Line[]): string[] {
  const urls = lines.map((line) => urlOf(line));
  const width = Math.max(...urls.map((url) => url.length));
  return columns(
    lines.map(({ destination: { name, login } }, index) => {
      const hint = login ? `user admin, the password by npm run passwords -- ${name}` : '';
      return [name, `${urls[index]?.padEnd(width)}  ${hint}`.trimEnd()] as const;
    }),
  );
}

/** The same for a program. */
export function addressJson(lines: readonly Line[]): string {
  const forwards = lines.map((line) => {
    const { destination, door } = line;
    const { name, login } = destination;
    return { name, url: urlOf(line), port: door.port, ...(login && { user: 'admin' }) };
  });
  return JSON.stringify({ forwards });
}

/** What became of a destination, in a line. */
export function changeLine(name: string, change: Change): string {
  switch (change.kind) {
    case 'leads': {
      const after = change.seconds === 0 ? '' : ` (after ${change.seconds.toFixed(1)} s)`;
      return `✔ ${name} leads to the pod ${change.pod}${after}`;
    }
    case 'waits':
      return `! ${name} waits: no pod of it is ready`;
    case 'ended':
      return `! ${name} lost the pod ${change.pod}: ${change.why}`;
    case 'failed':
      return `! ${name} can't reach the pod ${change.pod}, and tries again: ${change.why}`;
  }
}
