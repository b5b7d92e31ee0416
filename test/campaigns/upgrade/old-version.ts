import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { demand, type Person } from '../../e2e/support.ts';

/** What `git pull` or going back to an earlier version comes to: the branch is at another commit, with its packages. */
export async function checkOut(person: Person, commit: string): Promise<void> {
  await demand(person.run(['git', 'reset', '--quiet', '--hard', commit]));
  await demand(person.run(['npm', 'ci', '--no-fund', '--no-audit']));
}

/** A folder for the PATH, with programs that stand before those of the same name further on in it. */
export function programsBefore(person: Person, folder: string, scripts: Record<string, readonly string[]>): string {
  const path = join(person.home, folder);
  mkdirSync(path, { recursive: true });
  const others = 'PATH=$(echo ":$PATH:" | sed "s|:$(dirname "$0"):|:|")';
  for (const [name, lines] of Object.entries(scripts))
    writeFileSync(join(path, name), `${['#!/bin/bash', others, ...lines].join('\n')}\n`, { mode: 0o755 });
  return `${path}:${person.env.PATH}`;
}

/**
 * An earlier version may not know IGNORE_CHECKS yet, and refuses a machine with cgroup v1. Where that is to be ignored, Docker
 * tells it of cgroup v2.
 * @returns the lines of a script in Docker's place, none where Docker does.
 */
export function dockerForOldVersion(): string[] {
  if (!/\bcgroup\b/.test(process.env.IGNORE_CHECKS ?? '')) return [];
  return [
    // kind has to know what there really is.
    '[ "$1" = info ] && [ "$(ps -o comm= -p $PPID)" != kind ] || exec docker "$@"',
    `docker "$@" | sed 's/"CgroupVersion":"1"/"CgroupVersion":"2"/'`,
  ];
}
