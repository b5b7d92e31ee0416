import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { programsOnPath } from '../lib/processes.ts';

export interface BrowserEnvironment {
  platform: NodeJS.Platform;
  /** The PATH to look for programs on. */
  path: string;
  /** What the program gets to see. */
  env: Record<string, string>;
  /** Whether this is Linux inside of Windows, where the browser is outside. */
  isWsl: boolean;
}

/** Milliseconds in which a program that can't open a browser says so; one that goes on has opened it, or is it. */
const startTimeoutMs = 3000;

/** The surroundings of this process. */
export function browserEnvironment(path: string, env: Record<string, string>): BrowserEnvironment {
  return { platform: process.platform, path, env, isWsl: process.platform === 'linux' && isMicrosoft() };
}

/** Microsoft's kernel says so of itself: https://learn.microsoft.com/windows/wsl */
function isMicrosoft(): boolean {
  try {
    return /microsoft/i.test(readFileSync('/proc/version', 'utf8'));
  } catch {
    return false;
  }
}

/**
 * Opens an address in your browser, and leaves that alone afterwards. Returns why not, if it can't: no program
 * that could, no screen, or what the program ended with.
 */
export async function openBrowser(url: string, around: BrowserEnvironment): Promise<string | undefined> {
  const { platform, path, env, isWsl } = around;
  const names = platform === 'darwin' ? ['open'] : isWsl ? ['wslview', 'xdg-open'] : ['xdg-open'];
  const found = await Promise.all(names.map((name) => programsOnPath(name, path)));
  const [program] = found.flat();
  if (program === undefined) return `there is no ${names.join(' and no ')} on the PATH`;
  // Without a screen xdg-open may start a browser for terminals, which you could not end.
  if (platform === 'linux' && !isWsl && !env.DISPLAY && !env.WAYLAND_DISPLAY)
    return 'there is no screen (DISPLAY and WAYLAND_DISPLAY are not set)';
  return startDetached(program, url, env);
}

function startDetached(program: string, url: string, env: Record<string, string>): Promise<string | undefined> {
  return new Promise((resolve) => {
    // A session of its own: the browser outlives this command.
    const child = spawn(program, [url], { env, detached: true, stdio: 'ignore' });
    child.unref();
    const deadline = setTimeout(() => resolve(undefined), startTimeoutMs);
    const end = (why: string | undefined) => {
      clearTimeout(deadline);
      resolve(why);
    };
    child.once('error', (error) => end(error.message));
    child.once('exit', (code, signal) => {
      end(code === 0 ? undefined : `${program} ended with ${signal ?? `exit code ${code}`}`);
    });
  });
}
