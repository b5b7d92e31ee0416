import type { Command } from './command.ts';

/**
 * Every command, in the order of the list that `npm run` and `--help` show. What is loaded here only describes it; the
 * command itself is loaded when it runs, so that what one of them needs costs neither the others nor help any time.
 */
const loaders: Record<string, () => Promise<Command>> = {
  up: async () => (await import('./usage/up.ts')).up,
  sync: async () => (await import('./usage/sync.ts')).sync,
  status: async () => (await import('./usage/status.ts')).status,
  diff: async () => (await import('./usage/diff.ts')).diff,
  promote: async () => (await import('./usage/promote.ts')).promote,
  rollback: async () => (await import('./usage/rollback.ts')).rollback,
  release: async () => (await import('./usage/release.ts')).release,
  history: async () => (await import('./usage/history.ts')).history,
  doctor: async () => (await import('./usage/doctor.ts')).doctor,
  validate: async () => (await import('./usage/validate.ts')).validate,
  trust: async () => (await import('./usage/trust.ts')).trust,
  credentials: async () => (await import('./usage/credentials.ts')).credentials,
  'new-service': async () => (await import('./usage/new-service.ts')).newService,
  dashboards: async () => (await import('./usage/dashboards.ts')).dashboards,
  passwords: async () => (await import('./usage/passwords.ts')).passwords,
  kubeconfig: async () => (await import('./usage/kubeconfig.ts')).kubeconfig,
  logs: async () => (await import('./usage/logs.ts')).logs,
  shell: async () => (await import('./usage/shell.ts')).shell,
  drill: async () => (await import('./usage/drill.ts')).drill,
  forward: async () => (await import('./usage/forward.ts')).forward,
  open: async () => (await import('./usage/open.ts')).open,
  verify: async () => (await import('./usage/verify.ts')).verify,
  load: async () => (await import('./usage/load.ts')).load,
  stop: async () => (await import('./usage/stop.ts')).stop,
  start: async () => (await import('./usage/start.ts')).start,
  reset: async () => (await import('./usage/reset.ts')).reset,
  down: async () => (await import('./usage/down.ts')).down,
  prefetch: async () => (await import('./usage/prefetch.ts')).prefetch,
  support: async () => (await import('./usage/support.ts')).support,
  completion: async () => (await import('./usage/completion.ts')).completion,
};

export const commandNames = Object.keys(loaders);

/** The command of that name, or undefined. */
export async function findCommand(name: string): Promise<Command | undefined> {
  return Object.hasOwn(loaders, name) ? loaders[name]?.() : undefined;
}

/** All of them, for the list. */
export async function allCommands(): Promise<Command[]> {
  return Promise.all(Object.values(loaders).map((load) => load()));
}
