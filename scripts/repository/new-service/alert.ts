import { type Document, isMap, isSeq, type Scalar, visit, type YAMLMap, type YAMLSeq } from 'yaml';
import { type Change, edit, editYaml, noPlace, renamed } from './change.ts';
import { model, type Wish } from './wish.ts';

const alert = 'ServiceMissing';
const rulesFile = 'observability/prometheus/rules/targets.yml';
const testsFile = 'observability/prometheus/tests/targets.yml';

/** The alert on absent targets with a line for a new service, and its unit tests, which prove that line. */
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

/**
 * Where the model is up, the new service is up as well; where no service has a pod, it is told of like the model. A case of its
 * own would have a series of every other service, and a hundred services ten thousand of them.
 */
function addToTests(name: string): (document: Document) => void {
  return (document) => {
    const cases = mapsIn(document.get('tests'));
    const told = cases.filter((one) => seriesOf(one, model) === undefined).flatMap(alertsAbout(model));
    if (told.length === 0) throw noPlace(testsFile, `case in which no service has a pod, and ${model} is told of`);
    for (const { list, alert } of told) {
      const own = alert.clone() as YAMLMap;
      visit(own, { Scalar: (_, scalar) => rename(scalar, model, name) });
      list.add(own);
    }
    for (const one of cases) addSeries(one, model, name);
  };
}

/** The alerts that a case expects about this service, each in its list. */
function alertsAbout(service: string): (case_: YAMLMap) => { list: YAMLSeq; alert: YAMLMap }[] {
  return (case_) =>
    mapsIn(case_.get('alert_rule_test'))
      .filter((expected) => expected.get('alertname') === alert)
      .flatMap((expected) => {
        const list = expected.get('exp_alerts') as YAMLSeq;
        const own = mapsIn(list).filter((one) => one.getIn(['exp_labels', 'service']) === service);
        return own.map((one) => ({ list, alert: one }));
      });
}

function seriesOf(case_: YAMLMap, service: string): YAMLMap | undefined {
  return mapsIn(case_.get('input_series')).find((one) => String(one.get('series')).includes(`service="${service}"`));
}

/** Adds a series of `up` to a case, like that of another service where it has one, always up. */
function addSeries(case_: YAMLMap, like: string, name: string): void {
  const series = seriesOf(case_, like)?.clone() as YAMLMap | undefined;
  if (series === undefined) return;
  rename(series.get('series', true) as unknown as Scalar, like, name);
  series.set('values', '1x10');
  (case_.get('input_series') as YAMLSeq).add(series);
}

function rename(scalar: Scalar, from: string, to: string): void {
  if (typeof scalar.value === 'string') scalar.value = renamed(scalar.value, from, to);
}

function mapsIn(list: unknown): YAMLMap[] {
  return isSeq(list) ? list.items.filter((item): item is YAMLMap => isMap(item)) : [];
}
