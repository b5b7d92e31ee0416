import { dashboardFiles } from '../../repository/dashboards/dashboard.ts';
import { withoutVariables } from '../../repository/dashboards/queries.ts';
import type { Repository } from '../../repository/rendering/repository.ts';
import { dashboardQueries, ruleQueries } from '../validate/queries/located.ts';
import { readQuery } from '../validate/queries/promql.ts';

export interface Shown {
  uid: string;
  title: string;
  /** How many of its queries are about requests. */
  queries: number;
}

/** What a request through the ingress moves: the services' own metrics, and those of the ingress controllers. */
const moved = /^(http_request|nginx_ingress_controller_(request|response|ingress_upstream)|traefik_\w+_request)/;

/** The dashboards of this checkout that show requests, also by way of recording rules; those with the most to show first. */
export async function shownBy(repository: Repository): Promise<Shown[]> {
  const [files, panels, rules] = await Promise.all([
    dashboardFiles(repository),
    dashboardQueries(repository),
    ruleQueries(repository),
  ]);
  const recorded = new Map(rules.flatMap(({ rule, expr }) => (rule.record === undefined ? [] : [[rule.record, expr]])));
  const isMoved = (query: string, within: readonly string[] = []): boolean =>
    readQuery(withoutVariables(query)).selectors.some(({ name = '' }) => {
      if (moved.test(name)) return true;
      const behind = recorded.get(name);
      return behind !== undefined && !within.includes(name) && isMoved(behind, [...within, name]);
    });
  const shown = files.flatMap(({ embedded, dashboard: { uid, title } }) => {
    if (uid === undefined || title === undefined) return [];
    const own = panels.filter(({ where }) => where.startsWith(`${embedded.key}, panel `));
    return [{ uid, title, queries: own.filter(({ expr }) => isMoved(expr)).length }];
  });
  return shown.filter(({ queries }) => queries > 0).sort((a, b) => b.queries - a.queries);
}
