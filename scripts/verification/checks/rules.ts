import { hasData } from '../../dashboards/questions.ts';
import { atMost } from '../../lib/limit.ts';
import { readQuery, type Selector } from '../../validation/queries/promql.ts';
import { type Check, count, type Finding } from '../check.ts';
import type { Live } from '../live.ts';
import type { LiveRule } from '../prometheus.ts';

/** Queries that Prometheus is asked at the same time. */
const atOnce = 6;

/** Whether each rule works, and has something to work on. */
export const rules: Check = {
  name: 'rules',
  title: 'every rule works, on data that is there',
  async run(live) {
    const [groups, allowed] = await Promise.all([live.prometheus.rules(), live.allowedEmpty()]);
    const exempt = new Set(allowed.rules.map(({ rule }) => rule));
    const all = groups.flatMap(({ file, rules: members }) => members.map((rule) => ({ rule, file })));
    const limited = atMost(atOnce);
    const findings = await Promise.all(
      all.map(({ rule, file }) => limited(() => lookAtRule(live, rule, file, exempt.has(rule.name)))),
    );
    return { findings: findings.flat(), detail: `${count(all.length, 'rule')}, ${exempt.size} may be empty` };
  },
};

async function lookAtRule(live: Live, rule: LiveRule, path: string, mayBeEmpty: boolean): Promise<Finding[]> {
  const file = path.slice(path.lastIndexOf('/') + 1);
  const { name, health, lastError } = rule;
  if (health !== 'ok') {
    const what = health === 'err' ? `fails: ${lastError}` : 'has not been evaluated yet';
    return [{ message: `The rule ${name} of ${file} ${what}.`, remedy: `Correct it in ${file}, and npm run up.` }];
  }
  if (mayBeEmpty) return [];
  const missing = await (rule.type === 'recording' ? emptyRecord(live, rule) : emptySelector(live, rule));
  if (missing === undefined) return [];
  return [
    {
      message: `The rule ${name} of ${file} has nothing to work on: ${missing} has no data.`,
      remedy: `Correct the name in ${file}; or say in observability/grafana/allowed-empty.yaml why it may be empty.`,
    },
  ];
}

async function emptyRecord(live: Live, { query }: LiveRule): Promise<string | undefined> {
  const result = await live.prometheus.query(query);
  if (hasData({ data: { result } })) return undefined;
  return (await emptySelector(live, { query })) ?? `its query (${query.replaceAll(/\s+/g, ' ')})`;
}

/**
 * An alert that doesn't fire is silent, and one that asks for a misspelt metric is as silent: what it asks for must be
 * there. That is the metric of that job or service, with the labels that are asked for; which values these have just now
 * is what the alert is about.
 */
async function emptySelector(live: Live, { query }: Pick<LiveRule, 'query'>): Promise<string | undefined> {
  for (const selector of readQuery(query).selectors) {
    const text = loosened(selector);
    if ((await live.prometheus.query(`count(${text})`)).length === 0) return text;
  }
  return undefined;
}

/** Labels that say of what a metric is, and not in which state that is. */
const identity: ReadonlySet<string> = new Set(['job', 'service', 'namespace', 'container']);

function loosened({ name = '', matchers }: Selector): string {
  const kept = matchers.filter(({ label, operator }) => identity.has(label) && operator.startsWith('='));
  const others = new Set(matchers.filter((matcher) => !kept.includes(matcher)).map(({ label }) => label));
  others.delete('__name__');
  const list = [
    ...kept.map(({ label, operator, value }) => `${label}${operator}${JSON.stringify(value)}`),
    ...[...others].map((label) => `${label}!=""`),
  ];
  return list.length === 0 ? name : `${name}{${list.join(',')}}`;
}
