import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { mapIn, mapsIn } from '../../../repository/yaml.ts';
import { findingIn, ruleQueries } from '../queries/located.ts';
import { readQuery } from '../queries/promql.ts';
import { testFiles } from './unit-tests.ts';

const rule = 'prometheus-tested';
const remedy = 'Add one to the folder tests beside its rules; the others there show how.';

interface Test {
  alert_rule_test: unknown;
  promql_expr_test: unknown;
}

/** What the unit tests prove: of alerts, that they fire and that they don't; of recorded metrics, that they have a value. */
interface Proofs {
  firing: Set<string>;
  silent: Set<string>;
  recorded: Set<string>;
}

/** Each rule has unit tests. Of an alert they show when it fires, and when it keeps silent although there are data. */
export async function checkTested(repository: Repository): Promise<Finding[]> {
  const proofs = await proofsIn(repository);
  return (await ruleQueries(repository)).flatMap((located) => {
    const { record, alert } = located.rule;
    if (record !== undefined) {
      return proofs.recorded.has(record)
        ? []
        : [findingIn(located, rule, `no unit test expects a value of ${record}`, remedy)];
    }
    if (alert === undefined) return [];
    return [
      ...(proofs.firing.has(alert) ? [] : [findingIn(located, rule, `no unit test has ${alert} fire`, remedy)]),
      ...(proofs.silent.has(alert) ? [] : [findingIn(located, rule, `no unit test has ${alert} keep silent`, remedy)]),
    ];
  });
}

async function proofsIn(repository: Repository): Promise<Proofs> {
  const proofs: Proofs = { firing: new Set(), silent: new Set(), recorded: new Set() };
  for (const { document } of await testFiles(repository)) {
    const { tests } = mapIn<{ tests: unknown }>(document?.value);
    for (const test of mapsIn<Test>(tests)) {
      for (const { alertname, exp_alerts } of mapsIn<{ alertname: unknown; exp_alerts: unknown }>(
        test.alert_rule_test,
      )) {
        const kind = mapsIn(exp_alerts).length > 0 ? proofs.firing : proofs.silent;
        kind.add(String(alertname));
      }
      for (const { expr, exp_samples } of mapsIn<{ expr: unknown; exp_samples: unknown }>(test.promql_expr_test)) {
        if (mapsIn(exp_samples).length === 0) continue;
        for (const { name } of readQuery(String(expr)).selectors) if (name !== undefined) proofs.recorded.add(name);
      }
    }
  }
  return proofs;
}
