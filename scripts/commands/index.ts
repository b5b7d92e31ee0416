import type { Command } from './command.ts';

/**
 * Every command, in the order of the list that `npm run` and `--help` show. Each is loaded when it is called: what one
 * of them needs costs the others no start-up time.
 */
const loaders: Record<string, () => Promise<Command>> = {
  up: async () => (await import('./up.ts')).up,
  sync: async () => (await import('./sync.ts')).sync,
  status: async () => (await import('./status.ts')).status,
  diff: async () => (await import('./diff.ts')).diff,
  promote: async () => (await import('./promote.ts')).promote,
  rollback: async () => (await import('./rollback.ts')).rollback,
  release: async () => (await import('./release.ts')).release,
  history: async () => (await import('./history.ts')).history,
  doctor: async () => (await import('./doctor.ts')).doctor,
  validate: async () => (await import('./validate.ts')).validate,
  trust: async () => (await import('./trust.ts')).trust,
  credentials: async () => (await import('./credentials.ts')).credentials,
  dashboards: async () => (await import('./dashboards.ts')).dashboards,
  passwords: async () => (await import('./passwords.ts')).passwords,
  kubeconfig: async () => (await import('./kubeconfig.ts')).kubeconfig,
  logs: async () => (await import('./logs.ts')).logs,
  shell: async () => (await import('./shell.ts')).shell,
  drill: async () => (await import('./drill.ts')).drill,
  forward: async () => (await import('./forward.ts')).forward,
  open: async () => (await import('./open.ts')).open,
  verify: async () => (await import('./verify.ts')).verify,
  load: async () => (await import('./load.ts')).load,
  reset: async () => (await import('./reset.ts')).reset,
  down: async () => (await import('./down.ts')).down,
  support: async () => (await import('./support.ts')).support,
  completion: async () => (await import('./completion.ts')).completion,
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
