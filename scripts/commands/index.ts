import type { ListedUsage, Usage } from '../lib/terminal/args.ts';
import type { Command } from './command.ts';

interface CommandEntry extends ListedUsage {
  load(): Promise<Command>;
}

/**
 * Every command, in the order of the list that `npm run` and `--help` show. The file of a command is loaded when it runs or
 * explains itself, so that what one of them needs costs neither the others nor the list any time.
 */
export const commands: readonly CommandEntry[] = [
  {
    name: 'up',
    summary: 'Create the platform, or repair what is missing.',
    load: async () => (await import('./up.ts')).upCommand,
  },
  {
    name: 'sync',
    summary: 'Deploy the checked-out commit now, and print a rollout report.',
    load: async () => (await import('./sync.ts')).syncCommand,
  },
  {
    name: 'status',
    summary: 'Show what runs, from which commit, and where.',
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    name: 'diff',
    summary: 'Show what the working tree would change in the cluster, before it is committed.',
    load: async () => (await import('./diff.ts')).diffCommand,
  },
  {
    name: 'promote',
    summary: 'Promote a service, or all, to the image of a commit, and wait for the rollout.',
    load: async () => (await import('./promote.ts')).promoteCommand,
  },
  {
    name: 'rollback',
    summary: 'Revert the last promotion of a service, and block further ones.',
    load: async () => (await import('./rollback.ts')).rollbackCommand,
  },
  {
    name: 'resume',
    aliases: ['release'],
    summary: 'Allow promotions of a service again after a rollback.',
    load: async () => (await import('./resume.ts')).resumeCommand,
  },
  {
    name: 'history',
    summary: 'Show every image a service was promoted to, and which one runs now.',
    load: async () => (await import('./history.ts')).historyCommand,
  },
  {
    name: 'doctor',
    summary: 'Check this machine and every component, with a remedy for each problem.',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  {
    name: 'validate',
    summary: 'Check charts, manifests, metrics and promotion, without a cluster.',
    load: async () => (await import('./validate.ts')).validateCommand,
  },
  {
    name: 'trust',
    summary: 'Show how to make browsers trust the local addresses.',
    load: async () => (await import('./trust.ts')).trustCommand,
  },
  {
    name: 'credentials',
    summary: "Check, save and apply the token that pulls the services' images.",
    load: async () => (await import('./credentials.ts')).credentialsCommand,
  },
  {
    name: 'new-service',
    summary: 'Generate everything a new service needs, from its chart to its dashboard.',
    load: async () => (await import('./new-service.ts')).newServiceCommand,
  },
  {
    name: 'dashboards',
    summary: "Compare Grafana's dashboards with their files, and pull changes into the files.",
    load: async () => (await import('./dashboards.ts')).dashboardsCommand,
  },
  {
    name: 'passwords',
    summary: 'Show the passwords of Argo CD and Grafana.',
    load: async () => (await import('./passwords.ts')).passwordsCommand,
  },
  {
    name: 'kubeconfig',
    summary: "Show the cluster's private kubeconfig, or merge it into yours.",
    load: async () => (await import('./kubeconfig.ts')).kubeconfigCommand,
  },
  {
    name: 'logs',
    summary: 'Show the logs of all pods of a service, or of a component of the platform.',
    load: async () => (await import('./logs.ts')).logsCommand,
  },
  {
    name: 'shell',
    summary: 'Open a shell in a pod of a service, in a debug container if its image has none.',
    load: async () => (await import('./shell.ts')).shellCommand,
  },
  {
    name: 'drill',
    summary: 'Break things on the live cluster on purpose, and measure the recovery.',
    load: async () => (await import('./drill.ts')).drillCommand,
  },
  {
    name: 'port-forward',
    aliases: ['forward'],
    summary: 'Forward local ports to Prometheus, Grafana, Argo CD and the API.',
    load: async () => (await import('./port-forward.ts')).portForwardCommand,
  },
  {
    name: 'open',
    summary: 'Open the API, Argo CD, Prometheus or Grafana in the browser.',
    load: async () => (await import('./open.ts')).openCommand,
  },
  {
    name: 'verify',
    summary: 'Check that monitoring works, from every pod to every panel.',
    load: async () => (await import('./verify.ts')).verifyCommand,
  },
  {
    name: 'traffic',
    aliases: ['load'],
    summary: 'Send a light stream of requests, so that the dashboards have data.',
    load: async () => (await import('./traffic.ts')).trafficCommand,
  },
  {
    name: 'stop',
    summary: 'Stop the cluster without deleting anything.',
    load: async () => (await import('./stop.ts')).stopCommand,
  },
  {
    name: 'start',
    summary: 'Start a cluster that npm run stop, or a reboot, has stopped.',
    load: async () => (await import('./start.ts')).startCommand,
  },
  {
    name: 'reset',
    summary: 'Uninstall the platform, and keep the cluster.',
    load: async () => (await import('./reset.ts')).resetCommand,
  },
  {
    name: 'down',
    summary: 'Delete the cluster and everything in it.',
    load: async () => (await import('./down.ts')).downCommand,
  },
  {
    name: 'prefetch',
    summary: 'Download everything up needs, so that it works offline.',
    load: async () => (await import('./prefetch.ts')).prefetchCommand,
  },
  {
    name: 'support-bundle',
    aliases: ['support'],
    summary: 'Collect what others need to help you in one file, without secrets.',
    load: async () => (await import('./support-bundle.ts')).supportBundleCommand,
  },
  {
    name: 'completion',
    summary: 'Print a completion script for bash, zsh or fish.',
    load: async () => (await import('./completion.ts')).completionCommand,
  },
];

export type NamedCommand = Usage & Command;

/** @returns the command of that name, loaded; undefined where there is none. */
export async function findCommand(name: string): Promise<NamedCommand | undefined> {
  const entry = commands.find((one) => one.name === name || one.aliases?.includes(name));
  return entry && named(entry);
}

/** @returns all of them, loaded. */
export function allCommands(): Promise<NamedCommand[]> {
  return Promise.all(commands.map(named));
}

async function named({ load, ...entry }: CommandEntry): Promise<NamedCommand> {
  return { ...entry, ...(await load()) };
}
