import { limitConcurrency } from '../../../lib/tasks.ts';
import { hasData } from '../../../repository/dashboards/queries.ts';
import { type Check, count, type Finding } from '../check.ts';
import type { Live } from '../live.ts';
import type { LiveRule } from '../prometheus.ts';
import { emptySelector, neverAnswered, selectorsOf } from '../selectors.ts';

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
    const limited = limitConcurrency(atOnce);
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
  const { query, type } = rule;
  if (selectorsOf(live, query).length === 0) return [];
  const look = mayBeEmpty ? neverAnswered : type === 'recording' ? emptyRecord : emptySelector;
  const why = await look(live, query);
  if (why === undefined) return [];
  return [
    {
      message: `The rule ${name} of ${file} has nothing to work on: ${why}.`,
      remedy: `Correct the name in ${file}; or say in observability/grafana/allowed-empty.yaml why it may be empty.`,
    },
  ];
}

async function emptyRecord(live: Live, query: string): Promise<string | undefined> {
  const result = await live.prometheus.query(query);
  if (hasData({ data: { result } })) return undefined;
  return (await emptySelector(live, query)) ?? `its query (${query.replaceAll(/\s+/g, ' ')}) has no data`;
}
