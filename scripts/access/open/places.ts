import { placeNames } from '../../components/place-names.ts';
import { ask, portOf, routeTable, urlOf } from '../../components/routes.ts';
import { apiSite } from '../../components/services.ts';
import { isLocal, type Site } from '../../components/tls.ts';
import type { Context } from '../../images/context.ts';
import { probePort } from '../../lib/ports.ts';
import { throughForward } from '../addresses.ts';

/** Something that a browser finds at the ingress. */
export interface Place {
  /** The word that chooses it. */
  name: string;
  site: Site;
  url: string;
  /** What answers 200 without a login once it is there. */
  health: string;
  login: boolean;
}

/** Where each is, in that order. Throws a `UserError` where the values name no host for the API. */
export async function places(context: Context): Promise<Place[]> {
  const api = await apiSite(context);
  return placeNames.map((name) => {
    if (name === 'api') return { name, site: api, url: `${urlOf(context, api)}/info`, health: '/info', login: false };
    const site = routeTable.find(({ host }) => host === `${name}.localhost`);
    if (!site) throw new Error(`there is no route ${name}.localhost`);
    return { name, site, url: urlOf(context, site), health: site.health, login: name !== 'prometheus' };
  });
}

/** Why a browser would not find it, or undefined: nobody answers, or its name leads elsewhere. */
export async function obstacle(context: Context, { site, health }: Place): Promise<string | undefined> {
  if (!isLocal(site.host)) return `${site.host} is production's name, which leads a browser elsewhere`;
  const { missing } = await ask(context, site, health);
  const port = portOf(context, site);
  // A command asks by a way of its own there, which no browser has.
  if (missing === undefined && context.target !== undefined && (await probePort(port)) !== 'taken')
    return `nothing leads port ${port} of this machine to the cluster; ${throughForward} does while it runs`;
  return missing;
}
