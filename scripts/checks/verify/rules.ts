import { limitConcurrency } from '../../lib/tasks.ts';
import { hasData } from '../../repository/dashboards/queries.ts';
import { counted, type VerificationCheck, type VerificationFinding } from './check.ts';
import type { LiveCluster } from './live.ts';
import type { LiveRule } from './prometheus-api.ts';
import { concurrentQueries } from './prometheus-api.ts';
import { emptySelector, neverAnswered, selectorsOf } from './selectors.ts';

/** Whether each rule works, and has something to work on. */
export const verifyRules: VerificationCheck = {
  name: 'rules',
  title: 'every rule works, on data that is there',
  async run(live) {
    const [groups, allowed] = await Promise.all([live.prometheus.rules(), live.allowedEmpty()]);
    const exempt = new Set(allowed.rules.map(({ rule }) => rule));
    const all = groups.flatMap(({ file, rules: members }) => members.map((rule) => ({ rule, file })));
    const limited = limitConcurrency(concurrentQueries);
    const findings = await Promise.all(
      all.map(({ rule, file }) => limited(() => checkRule(live, rule, file, exempt.has(rule.name)))),
    );
    return { findings: findings.flat(), detail: `${counted(all.length, 'rule')}, ${exempt.size} may be empty` };
  },
};

async function checkRule(
  live: LiveCluster,
  rule: LiveRule,
  path: string,
  mayBeEmpty: boolean,
): Promise<VerificationFinding[]> {
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

async function emptyRecord(live: LiveCluster, query: string): Promise<string | undefined> {
  const result = await live.prometheus.query(query);
  if (hasData({ data: { result } })) return undefined;
  return (await emptySelector(live, query)) ?? `its query (${query.replaceAll(/\s+/g, ' ')}) has no data`;
}
