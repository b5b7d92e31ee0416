import type { ListedUsage } from '../lib/terminal/args.ts';
import type { Command, NamedCommand } from './command.ts';

/**
 * Every command, in the order of the list that `npm run` and `--help` show, each in the file of its name. That is loaded when it
 * runs or explains itself, so that what one of them needs costs neither the others nor the list any time.
 */
export const commands: readonly ListedUsage[] = [
  { name: 'up', summary: 'Create the platform, or repair what is missing.' },
  { name: 'sync', summary: 'Deploy the checked-out commit now, and print a rollout report.' },
  { name: 'status', summary: 'Show what runs, from which commit, and where.' },
  { name: 'diff', summary: 'Show what the working tree would change in the cluster, before it is committed.' },
  { name: 'promote', summary: 'Promote a service, or all, to the image of a commit, and wait for the rollout.' },
  { name: 'rollback', summary: 'Revert the last promotion of a service, and block further ones.' },
  { name: 'resume', aliases: ['release'], summary: 'Allow promotions of a service again after a rollback.' },
  { name: 'history', summary: 'Show every image a service was promoted to, and which one runs now.' },
  { name: 'doctor', summary: 'Check this machine and every component, with a remedy for each problem.' },
  { name: 'validate', summary: 'Check charts, manifests, metrics and promotion, without a cluster.' },
  { name: 'trust', summary: 'Show how to make browsers trust the local addresses.' },
  { name: 'credentials', summary: "Check, save and apply the token that pulls the services' images." },
  { name: 'new-service', summary: 'Generate everything a new service needs, from its chart to its dashboard.' },
  { name: 'dashboards', summary: "Compare Grafana's dashboards with their files, and pull changes into the files." },
  { name: 'passwords', summary: 'Show the passwords of Argo CD and Grafana.' },
  { name: 'kubeconfig', summary: "Show the cluster's private kubeconfig, or merge it into yours." },
  { name: 'logs', summary: 'Show the logs of all pods of a service, or of a component of the platform.' },
  { name: 'shell', summary: 'Open a shell in a pod of a service, in a debug container if its image has none.' },
  { name: 'drill', summary: 'Break things on the live cluster on purpose, and measure the recovery.' },
  {
    name: 'port-forward',
    aliases: ['forward'],
    summary: 'Forward local ports to Prometheus, Grafana, Argo CD and the API.',
  },
  { name: 'open', summary: 'Open the API, Argo CD, Prometheus or Grafana in the browser.' },
  { name: 'verify', summary: 'Check that monitoring works, from every pod to every panel.' },
  { name: 'traffic', aliases: ['load'], summary: 'Send a light stream of requests, so that the dashboards have data.' },
  { name: 'stop', summary: 'Stop the cluster without deleting anything.' },
  { name: 'start', summary: 'Start a cluster that npm run stop, or a reboot, has stopped.' },
  { name: 'reset', summary: 'Uninstall the platform, and keep the cluster.' },
  { name: 'down', summary: 'Delete the cluster and everything in it.' },
  { name: 'prefetch', summary: 'Download everything up needs, so that it works offline.' },
  {
    name: 'support-bundle',
    aliases: ['support'],
    summary: 'Collect what others need to help you in one file, without secrets.',
  },
  { name: 'completion', summary: 'Print a completion script for bash, zsh or fish.' },
];

/** @returns the command of that name, loaded; undefined where there is none. */
export async function findCommand(name: string): Promise<NamedCommand | undefined> {
  const entry = commands.find((one) => one.name === name || one.aliases?.includes(name));
  return entry && load(entry);
}

/** @returns all of them, loaded. */
export function allCommands(): Promise<NamedCommand[]> {
  return Promise.all(commands.map(load));
}

async function load(entry: ListedUsage): Promise<NamedCommand> {
  const exported = (await import(`./${entry.name}.ts`)) as Record<string, unknown>;
  const found = Object.entries(exported).find(([name]) => name.endsWith('Command'));
  return { ...entry, ...(found?.[1] as Command) };
}
