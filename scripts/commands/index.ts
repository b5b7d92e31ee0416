import type { Command } from './command.ts';
import { completion } from './usage/completion.ts';
import { credentials } from './usage/credentials.ts';
import { dashboards } from './usage/dashboards.ts';
import { diff } from './usage/diff.ts';
import { doctor } from './usage/doctor.ts';
import { down } from './usage/down.ts';
import { drill } from './usage/drill.ts';
import { forward } from './usage/forward.ts';
import { history } from './usage/history.ts';
import { kubeconfig } from './usage/kubeconfig.ts';
import { load } from './usage/load.ts';
import { logs } from './usage/logs.ts';
import { newService } from './usage/new-service.ts';
import { open } from './usage/open.ts';
import { passwords } from './usage/passwords.ts';
import { prefetch } from './usage/prefetch.ts';
import { promote } from './usage/promote.ts';
import { release } from './usage/release.ts';
import { reset } from './usage/reset.ts';
import { rollback } from './usage/rollback.ts';
import { shell } from './usage/shell.ts';
import { start } from './usage/start.ts';
import { status } from './usage/status.ts';
import { stop } from './usage/stop.ts';
import { support } from './usage/support.ts';
import { sync } from './usage/sync.ts';
import { trust } from './usage/trust.ts';
import { up } from './usage/up.ts';
import { validate } from './usage/validate.ts';
import { verify } from './usage/verify.ts';

/**
 * Every command, in the order of the list that `npm run` and `--help` show. What is loaded here only describes it; the
 * command itself is loaded when it runs, so that what one of them needs costs neither the others nor help any time.
 */
const all: readonly Command[] = [
  up,
  sync,
  status,
  diff,
  promote,
  rollback,
  release,
  history,
  doctor,
  validate,
  trust,
  credentials,
  newService,
  dashboards,
  passwords,
  kubeconfig,
  logs,
  shell,
  drill,
  forward,
  open,
  verify,
  load,
  stop,
  start,
  reset,
  down,
  prefetch,
  support,
  completion,
];

export const commandNames = all.map(({ name }) => name);

/** The command of that name, or undefined. */
export function findCommand(name: string): Command | undefined {
  return all.find((command) => command.name === name);
}

/** All of them, for the list. */
export function allCommands(): readonly Command[] {
  return all;
}
