import { fork } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where in the system's processes a text was seen. */
export interface Sampler {
  /** Ends the looking. Hands back how many processes were looked at, and the command lines of those that had the text. */
  end(): Promise<{ looked: number; seen: string[] }>;
}

/** Every form in which a token could be found: as it is, in a login, and in what Docker and Kubernetes make of that. */
export function formsOf(token: string, user: string): string[] {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const login = base64(`${user}:${token}`);
  // Behind one or two other characters the same text looks different as base64; its middle is the same from there on.
  const inner = ['', 'x', 'xx'].map((before) => base64(before + token).slice(before.length === 0 ? 0 : 4, 44));
  return [token, login, base64(JSON.stringify({ auths: { 'ghcr.io': { auth: login } } })), ...inner];
}

/**
 * Looks at the processes of this machine, again and again, until it is ended: at the arguments of all, and at the
 * variables of those that have `variable`, by which they are known as started from there.
 */
export function sampleProcesses(forms: readonly string[], variable: string): Sampler {
  const looking = fork(fileURLToPath(new URL('./canary-looking.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
  });
  // Not as an argument, where it would find what it looks for.
  looking.send({ forms, variable });
  const told = new Promise<{ looked: number; seen: string[] }>((resolve, reject) => {
    looking.once('message', (found) => resolve(found as { looked: number; seen: string[] }));
    looking.once('error', reject);
    looking.once('exit', () => reject(new Error('the looking ended by itself')));
  });
  told.catch(() => {});
  return {
    end() {
      if (looking.connected) looking.send('end');
      return told;
    },
  };
}

/** One look, which adds to what was seen. Hands back how many processes had the variable. */
export function lookOnce(forms: readonly string[], variable: string, seen: Set<string>): number {
  let looked = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const command = textOf(`/proc/${pid}/cmdline`);
    const variables = textOf(`/proc/${pid}/environ`);
    const ours = variables.includes(variable);
    if (ours) looked += 1;
    const name = command.replaceAll('\0', ' ').trim();
    if (forms.some((form) => command.includes(form))) seen.add(`arguments of ${name}`);
    if (ours && forms.some((form) => variables.includes(form))) seen.add(`variables of ${name}`);
  }
  return looked;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // It ended meanwhile, or belongs to somebody else.
    return '';
  }
}
