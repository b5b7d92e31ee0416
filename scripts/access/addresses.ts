import { siteNames } from '../components/passwords.ts';
import { askIngress, isLocal, routeTable, type Site, sitePort, siteUrl } from '../components/routes.ts';
import { apiSite, findApiSite } from '../components/services.ts';
import type { Context } from '../images/context.ts';
import { UserError } from '../lib/errors.ts';
import { probePort } from '../lib/ports.ts';
import { columns } from '../lib/text.ts';

/** An address of a page or an API. */
export interface Address {
  title: string;
  url: string;
  /** How to call it all the same, where the name leads to another machine: the host of staging or production. */
  command?: string;
  /** What has to run on this machine for it to answer, where the cluster publishes nothing here. */
  through?: string;
}

/** Leads the port of all addresses to the ingress of a cluster that is not on this machine. */
const forwardIngressCommand = 'npm run port-forward -- ingress';

/** The addresses of all pages, and of the API. */
export async function addresses(context: Context): Promise<Address[]> {
  const routes = routeTable.map((route) => ({ title: route.title, url: siteUrl(context, route) }));
  const all = [...(await apiAddress(context)), ...routes];
  return context.target === undefined ? all : all.map((one) => ({ ...one, through: forwardIngressCommand }));
}

async function apiAddress(context: Context): Promise<Address[]> {
  try {
    const site = await findApiSite(context);
    if (site === undefined) return [];
    const url = `${siteUrl(context, site)}/info`;
    return [{ title: 'API', url, ...(!isLocal(site.host) && { command: curl(context, site, url) }) }];
  } catch (error) {
    // Why the values can't be read is said by the components that need them.
    if (error instanceof UserError) return [];
    throw error;
  }
}

/** No name server resolves the host of staging or production to this machine, and no authority vouches for its certificate here. */
function curl(context: Context, site: Site, url: string): string {
  return `curl ${site.secret ? '-k ' : ''}--resolve ${site.host}:${sitePort(context, site)}:127.0.0.1 ${url}`;
}

/** Title and address of each, aligned; the command in place of an address that would lead elsewhere. */
export function addressLines(all: readonly Address[], indent = '  '): string[] {
  const lines = columns(
    all.map(({ title, url, command }) => [title, command ?? url] as const),
    indent,
  );
  const [through] = all.flatMap((one) => one.through ?? []);
  return through === undefined ? lines : [...lines, `${indent}They answer while this runs: ${through}`];
}

/** Something that a browser finds at the ingress. */
export interface OpenTarget {
  /** The word that chooses it. */
  name: string;
  site: Site;
  url: string;
  /** What answers 200 without a login once it is there. */
  health: string;
  login: boolean;
}

/** Where each is, in that order; the API where there is one, or an error if it is the word asked for. Throws a `UserError`. */
export async function openTargets(context: Context, word?: string): Promise<OpenTarget[]> {
  const api = word === 'api' ? await apiSite(context) : await findApiSite(context);
  return siteNames.flatMap((name): OpenTarget | OpenTarget[] => {
    if (name === 'api')
      return api ? { name, site: api, url: `${siteUrl(context, api)}/info`, health: '/info', login: false } : [];
    const site = routeTable.find(({ host }) => host === `${name}.localhost`);
    if (!site) throw new Error(`there is no route ${name}.localhost`);
    return { name, site, url: siteUrl(context, site), health: site.health, login: name !== 'prometheus' };
  });
}

/** Why a browser would not find it, or undefined: nothing answers, or its name resolves to another machine. */
export async function unreachableReason(context: Context, { site, health }: OpenTarget): Promise<string | undefined> {
  if (!isLocal(site.host)) return `${site.host} leads a browser to another machine`;
  const { missing } = await askIngress(context, site, health);
  const port = sitePort(context, site);
  // A command asks by a way of its own there, which no browser has.
  if (missing === undefined && context.target !== undefined && (await probePort(port)) !== 'taken')
    return `nothing leads port ${port} of this machine to the cluster; ${forwardIngressCommand} does while it runs`;
  return missing;
}
