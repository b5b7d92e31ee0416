import { portOf, routeTable, urlOf } from '../components/routes.ts';
import { apiSite } from '../components/services.ts';
import { isLocal, type Site } from '../components/tls.ts';
import type { Context } from '../images/context.ts';
import { UserError } from '../lib/errors.ts';
import { columns } from '../lib/text.ts';

/** An address at which a person finds something. */
export interface Address {
  title: string;
  url: string;
  /** How to call it all the same, where the name leads elsewhere: production's own host. */
  command?: string;
  /** What has to run on this machine for it to answer, where the cluster publishes nothing here. */
  through?: string;
}

/** Leads the port of all addresses to the ingress of a cluster that is not on this machine. */
export const throughForward = 'npm run forward -- ingress';

/** The addresses at which a person finds things. */
export async function addresses(context: Context): Promise<Address[]> {
  const routes = routeTable.map((route) => ({ title: route.title, url: urlOf(context, route) }));
  const all = [...(await apiAddress(context)), ...routes];
  return context.target === undefined ? all : all.map((one) => ({ ...one, through: throughForward }));
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
export function addressLines(all: readonly Address[], indent = '  '): string[] {
  const lines = columns(
    all.map(({ title, url, command }) => [title, command ?? url] as const),
    indent,
  );
  const [through] = all.flatMap((one) => one.through ?? []);
  return through === undefined ? lines : [...lines, `${indent}They answer while this runs: ${through}`];
}
