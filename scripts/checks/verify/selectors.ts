import { readQuery, type Selector } from '../validate/queries/promql.ts';
import type { LiveCluster } from './live.ts';

/** What ingress-nginx counts: nobody does where Traefik runs. */
const isOfNginx = ({ name = '', matchers }: Selector) =>
  /^nginx_/.test(name) || matchers.some(({ label, value }) => label === 'job' && value === 'ingress-nginx');

/** Labels that say of what a metric is, and not in which state that is. */
const identity: ReadonlySet<string> = new Set(['job', 'service', 'namespace', 'container']);

/** @returns the selectors of a query that can have data on this cluster. */
export function selectorsOf({ ingressController }: Pick<LiveCluster, 'ingressController'>, query: string): Selector[] {
  return readQuery(query).selectors.filter((selector) => ingressController === 'nginx' || !isOfNginx(selector));
}

/**
 * An alert that doesn't fire is silent, and one that asks for a misspelt metric is as silent: what it asks for must be
 * there. That is the metric of that job or service, with the labels that are asked for; which values these have just now
 * is what the alert is about.
 * @returns the first selector of the query that has no data, as the beginning of a sentence, or undefined where all have some.
 */
export async function emptySelector(live: LiveCluster, query: string): Promise<string | undefined> {
  for (const selector of selectorsOf(live, query)) {
    const text = loosened(selector);
    if ((await live.prometheus.query(`count(${text})`)).length === 0) return `${text} has no data`;
  }
  return undefined;
}

/**
 * Tells a query for which nothing has happened yet from one that can never have an answer. A counter with labels has no
 * series before the first event: it has to be one that some program is known to expose. One that has series needs the labels.
 * @returns why it can't, as the rest of a sentence, or undefined where it can.
 */
export async function neverAnswered(live: LiveCluster, query: string): Promise<string | undefined> {
  for (const { name, matchers } of selectorsOf(live, query)) {
    if (name === undefined) continue;
    if ((await live.prometheus.query(`count(${name})`)).length === 0) {
      if (await isKnown(live, name)) continue;
      return `nothing exposes or records the metric ${name}`;
    }
    for (const label of stateLabels(matchers)) {
      if ((await live.prometheus.query(`count(${name}{${label}!=""})`)).length === 0)
        return `${name} has no label ${label}`;
    }
  }
  return undefined;
}

async function isKnown(live: LiveCluster, name: string): Promise<boolean> {
  const [exposed, groups] = await Promise.all([live.metricNames(), live.prometheus.rules()]);
  return exposed.has(name) || groups.some(({ rules }) => rules.some((rule) => rule.name === name));
}

function loosened({ name = '', matchers }: Selector): string {
  const kept = matchers.filter(({ label, operator }) => identity.has(label) && operator.startsWith('='));
  const list = [
    ...kept.map(({ label, operator, value }) => `${label}${operator}${JSON.stringify(value)}`),
    ...stateLabels(matchers.filter((matcher) => !kept.includes(matcher))).map((label) => `${label}!=""`),
  ];
  return list.length === 0 ? name : `${name}{${list.join(',')}}`;
}

function stateLabels(matchers: Selector['matchers']): string[] {
  return [...new Set(matchers.map(({ label }) => label))].filter((label) => label !== '__name__');
}
