import { type Document, isMap, isSeq, type Scalar, visit, type YAMLMap, type YAMLSeq } from 'yaml';
import { type Change, edit, editYaml, noPlace, renamed } from './change.ts';
import { model, type Wish } from './wish.ts';

const alert = 'ServiceMissing';
const rulesFile = 'observability/prometheus/rules/targets.yml';
const testsFile = 'observability/prometheus/tests/targets.yml';

/** The alert on absent targets with a line for a new service, and its unit tests with a case in which that is absent. */
export async function alertOf(root: string, { name }: Wish): Promise<Change[]> {
  return [
    await edit(root, rulesFile, (text) => editYaml(text, rulesFile, addToRule(name))),
    await edit(root, testsFile, (text) => editYaml(text, testsFile, addToTests(name))),
  ];
}

function addToRule(name: string): (document: Document) => void {
  return (document) => {
    const rule = mapsIn(document.get('groups'))
      .flatMap((group) => mapsIn(group.get('rules')))
      .find((one) => one.get('alert') === alert);
    const expr = rule?.get('expr', true) as Scalar | undefined;
    if (typeof expr?.value !== 'string') throw noPlace(rulesFile, `alert ${alert}`);
    expr.value = `${expr.value.trimEnd()}\n  or\nabsent(up{service="${name}"})\n`;
  };
}

/** In every case that there is, the new service is up. One more is the model's, told of the new one. */
function addToTests(name: string): (document: Document) => void {
  return (document) => {
    const tests = document.get('tests');
    const case_ = mapsIn(tests).find(isAbsenceOf(model));
    if (!isSeq(tests) || case_ === undefined) throw noPlace(testsFile, `case in which ${model} is absent`);
    const own = case_.clone() as YAMLMap;
    visit(own, { Scalar: (_, scalar) => rename(scalar, model, name) });
    for (const one of mapsIn(tests)) addSeries(one, model, name);
    addSeries(own, name, model);
    tests.add(own);
  };
}

/** Whether a case expects the alert about this service. */
function isAbsenceOf(service: string): (test: YAMLMap) => boolean {
  return (test) =>
    mapsIn(test.get('alert_rule_test'))
      .filter((expected) => expected.get('alertname') === alert)
      .flatMap((expected) => mapsIn(expected.get('exp_alerts')))
      .some((expected) => expected.getIn(['exp_labels', 'service']) === service);
}

/** Adds a series of `up` to a case, like that of another service, always up. */
function addSeries(test: YAMLMap, like: string, name: string): void {
  const list = test.get('input_series') as YAMLSeq | undefined;
  const known = mapsIn(list).find((one) => String(one.get('series')).includes(`service="${like}"`));
  if (known === undefined) throw noPlace(testsFile, `series of ${like} in the case "${test.get('name')}"`);
  const series = known.clone() as YAMLMap;
  rename(series.get('series', true) as unknown as Scalar, like, name);
  series.set('values', '1x10');
  list?.add(series);
}

function rename(scalar: Scalar, from: string, to: string): void {
  if (typeof scalar.value === 'string') scalar.value = renamed(scalar.value, from, to);
}

function mapsIn(list: unknown): YAMLMap[] {
  return isSeq(list) ? list.items.filter((item): item is YAMLMap => isMap(item)) : [];
}
