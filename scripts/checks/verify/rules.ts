import { counted } from '../../lib/text.ts';
import { hasData } from '../../repository/dashboards/queries.ts';
import { readQuery, type Selector } from '../validate/prometheus/promql.ts';
import type { VerificationCheck, VerificationFinding } from './check.ts';
import type { LiveCluster, LiveRule } from './live.ts';

/** Whether each rule works, and has something to work on. */
export const verifyRules: VerificationCheck = {
  name: 'rules',
  title: 'every rule works, on data that is there',
  async run(live) {
    const [groups, allowed] = await Promise.all([live.prometheus.rules(), live.allowedEmpty()]);
    const exempt = new Set(allowed.rules.map(({ rule }) => rule));
    const all = groups.flatMap(({ file, rules: members }) => members.map((rule) => ({ rule, file })));
    const findings = await Promise.all(all.map(({ rule, file }) => checkRule(live, rule, file, exempt.has(rule.name))));
    return { findings, detail: `${counted(all.length, 'rule')}, ${exempt.size} may be empty` };
  },
};

async function checkRule(
  live: LiveCluster,
  rule: LiveRule,
  path: string,
  mayBeEmpty: boolean,
): Promise<VerificationFinding | undefined> {
  const file = path.slice(path.lastIndexOf('/') + 1);
  const { name, health, lastError, query, type } = rule;
  if (health !== 'ok') {
    const what = health === 'err' ? `fails: ${lastError}` : 'has not been evaluated yet';
    return { message: `The rule ${name} of ${file} ${what}.`, remedy: `Correct it in ${file}, and npm run up.` };
  }
  if (selectorsOf(live, query).length === 0 || (await asksForAbsent(live, query))) return undefined;
  const look = mayBeEmpty ? neverAnswered : type === 'recording' ? emptyRecord : emptySelector;
  const why = await look(live, query);
  if (why === undefined) return undefined;
  return {
    message: `The rule ${name} of ${file} has nothing to work on: ${why}.`,
    remedy: `Correct the name in ${file}; or say in observability/allowed-empty.yaml why it may be empty.`,
  };
}

async function emptyRecord(live: LiveCluster, query: string): Promise<string | undefined> {
  const result = await live.prometheus.query(query);
  if (hasData({ data: { result } })) return undefined;
  return (await emptySelector(live, query)) ?? `its query (${query.replaceAll(/\s+/g, ' ')}) has no data`;
}

/** What an ingress controller counts, by which nothing does where the other one runs. */
const ofController: Record<LiveCluster['config']['ingressController'], (selector: Selector) => boolean> = {
  nginx: ({ name = '', matchers }) =>
    /^nginx_/.test(name) || matchers.some(({ label, value }) => label === 'job' && value === 'ingress-nginx'),
  traefik: ({ name = '' }) => /^traefik_/.test(name),
};

/** Labels that say of what a metric is, and not in which state that is. */
const identity: ReadonlySet<string> = new Set(['job', 'service', 'namespace', 'container']);

/** @returns the selectors of a query that can have data on this cluster. */
function selectorsOf({ config }: LiveCluster, query: string): Selector[] {
  const other = config.ingressController === 'nginx' ? 'traefik' : 'nginx';
  return readQuery(query).selectors.filter((selector) => !ofController[other](selector));
}

/**
 * An alert that doesn't fire is silent, and one that asks for a misspelt metric is as silent: what it asks for must be
 * there. That is the metric of that job or service, with the labels that are asked for; which values these have just now
 * is what the alert is about.
 * @returns the first selector of the query that has no data, as the beginning of a sentence, or undefined where all have some.
 */
async function emptySelector(live: LiveCluster, query: string): Promise<string | undefined> {
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

/**
 * Whether a query asks for a service that is not deployed, or for what such a one alone measures: the dashboards and rules of one
 * that was removed or renamed may stay. That it is misspelt, `validate` says.
 */
export async function asksForAbsent(live: LiveCluster, query: string): Promise<boolean> {
  const [services, metrics, { activeTargets }, groups] = await Promise.all([
    live.services(),
    live.metrics(),
    live.prometheus.targets(),
    live.prometheus.rules(),
  ]);
  const isPresent = (job: string) =>
    services.some(({ name, program }) => name === job || program === job) ||
    activeTargets.some(({ labels }) => labels.job === job);
  // A rule may record from what it recorded before.
  const isAbsent = ({ name = '', matchers }: Selector, within: readonly string[] = []): boolean => {
    const isService = (value: string) => services.some((one) => one.name === value);
    const isTarget = (value: string) => activeTargets.some(({ labels }) => labels.job === value);
    // Containers are named after their services; others' are of no service, and have to be there.
    const isAsked = ({ label, operator, value }: Selector['matchers'][number]) =>
      operator === '=' &&
      !isService(value) &&
      (label === 'service' ? value !== '' : label === 'container' && metrics.has(value) && !isTarget(value));
    const measuring = [...metrics].filter(([, names]) => names.includes(name));
    const recorded = groups.flatMap(({ rules }) => rules).filter(({ type }) => type === 'recording');
    const record = within.includes(name) ? undefined : recorded.find((rule) => rule.name === name);
    const behind = record === undefined ? [] : readQuery(record.query).selectors;
    return (
      matchers.some(isAsked) ||
      (measuring.length > 0 && !measuring.some(([job]) => isPresent(job))) ||
      behind.some((selector) => isAbsent(selector, [...within, name]))
    );
  };
  return readQuery(query).selectors.some((selector) => isAbsent(selector));
}

async function isKnown(live: LiveCluster, name: string): Promise<boolean> {
  const [exposed, groups] = await Promise.all([live.metrics(), live.prometheus.rules()]);
  return (
    [...exposed.values()].some((names) => names.includes(name)) ||
    groups.some(({ rules }) => rules.some((rule) => rule.name === name))
  );
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
