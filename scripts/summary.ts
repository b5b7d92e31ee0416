import { relative } from 'node:path';
import { portOf, routeTable, urlOf } from './components/routes.ts';
import { apiSite } from './components/services.ts';
import type { Context } from './context.ts';
import { UserError } from './lib/errors.ts';
import { uncommitted } from './lib/git.ts';
import { columns } from './lib/help.ts';
import { standInsAmong } from './standins.ts';
import { isLocal, type Site } from './tls.ts';
import { imagesAtHead } from './values.ts';

/** An address at which a person finds something. */
export interface Address {
  title: string;
  url: string;
  /** How to call it all the same, where the name leads elsewhere: production's own host. */
  command?: string;
}

/** The addresses at which a person finds things. */
export async function addresses(context: Context): Promise<Address[]> {
  const routes = routeTable.map((route) => ({ title: route.title, url: urlOf(context, route) }));
  return [...(await apiAddress(context)), ...routes];
}

async function apiAddress(context: Context): Promise<Address[]> {
  try {
    const site = await apiSite(context);
    const url = `${urlOf(context, site)}/info`;
    return [{ title: 'API', url, ...(!isLocal(site.host) && { command: curl(context, site, url) }) }];
  } catch (error) {
    // Why the values can't be read is said by the components that need them.
    if (error instanceof UserError) return [];
    throw error;
  }
}

/** No name server leads production's host to this machine, and its certificate here is vouched for by nobody. */
function curl(context: Context, site: Site, url: string): string {
  return `curl ${site.secret ? '-k ' : ''}--resolve ${site.host}:${portOf(context, site)}:127.0.0.1 ${url}`;
}

/** Title and address of each, aligned; the command in place of an address that would lead elsewhere. */
export function addressLines(all: readonly Address[], indent?: string): string[] {
  return columns(
    all.map(({ title, url, command }) => [title, command ?? url] as const),
    indent,
  );
}

/** What came of it: how much was changed, and which steps decided how long it took, where they are known. */
interface Done {
  changes: number;
  path?: string;
}

/** What `up` ends with: that it is done, where things are, and what to try next. */
export async function summary(context: Context, seconds: number, { changes, path = '' }: Done): Promise<string> {
  const images = await imagesAtHead(context);
  const standIns = await standInsAmong(context, images.values());
  const verdict = changes === 0 ? 'Everything was already as it should be; nothing was changed' : 'The platform is up';
  return [
    '',
    `${verdict} (${seconds.toFixed(1)} s).`,
    ...(path === '' ? [] : [`Critical path: ${path}`]),
    '',
    ...addressLines(await addresses(context)),
    '',
    '  Argo CD and Grafana: user admin, passwords by npm run passwords',
    ...standInLines([...standIns]),
    '',
    '  Next: npm run status                        what runs, and from which commit',
    `        edit helm/core-go/values-${context.config.environment}.yaml and git commit: it deploys within seconds`,
    '        npm run down                          take all of it away',
    '        npm run trust                         have browsers trust these addresses',
  ].join('\n');
}

function standInLines(standIns: readonly string[]): string[] {
  if (standIns.length === 0) return [];
  return [
    '',
    '  These run as stand-ins, small local programs with the same ports, paths and metrics, for want of a token:',
    ...standIns.map((image) => `    ${image} (stand-in)`),
    '  npm run credentials brings the real ones, with a token that may read them.',
  ];
}

/** A warning for edits that Argo CD can't see, since it deploys commits. */
export async function uncommittedNote(context: Context): Promise<string[]> {
  if (context.config.gitops) return [];
  const { root } = context.config;
  const files = await uncommitted(context.exec, root, ['helm']);
  if (files.length === 0) return [];
  const { top } = await context.checkout();
  const named = files
    .slice(0, 3)
    .map((file) => relative(root, `${top}/${file}`))
    .join(', ');
  return [`Not deployed, because not committed: ${named}${files.length > 3 ? ` and ${files.length - 3} more` : ''}.`];
}
