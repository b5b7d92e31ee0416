import { type Document, isMap, isScalar, isSeq, type Pair, type Scalar, visit, YAMLMap, type YAMLSeq } from 'yaml';
import { defaultNamespace } from '../applications.ts';
import { allowedEmptyFile, dashboardPath } from '../dashboards/files.ts';
import { fileText, type JsonMap } from '../dashboards/normal-form.ts';
import { metricsFile } from '../metric-names.ts';
import { readText, understood } from '../text.ts';
import { editYaml } from '../yaml.ts';
import { edit, type FileChange, noPlace, renamed } from './changes.ts';
import { model, type NewService } from './options.ts';

const alert = 'ServiceMissing';
const rulesFile = 'observability/prometheus/config/rules/targets.yml';
const testsFile = 'observability/prometheus/config/tests/targets.yml';

/** The alert on absent targets with a line for a new service, and its unit tests, which prove that line. */
export async function alertChanges(root: string, { name }: NewService): Promise<FileChange[]> {
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
    expr.value = `${expr.value.trimEnd()}\n  or\nabsent(up{namespace="${defaultNamespace}",service="${name}"})\n`;
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

/** The dashboard of a new service, which is the model's under another name, and what makes it known. */
export async function dashboardChanges(root: string, { name }: NewService): Promise<FileChange[]> {
  const text = renamed(await readText(root, dashboardPath(model)), model, name);
  const board = understood(dashboardPath(model), () => JSON.parse(text) as JsonMap);
  const description = `${name} by rate, errors and duration (RED), and its pods.`;
  const after = fileText({ ...board, uid: name, title: name, description });
  return [
    { file: dashboardPath(name), after },
    await edit(root, allowedEmptyFile, (text) => withEmptyPanels(text, name)),
  ];
}

/** The list of panels that may be empty, with those of the new dashboard that are empty until somebody asks the service. */
function withEmptyPanels(text: string, name: string): string {
  return editYaml(text, allowedEmptyFile, (document) => {
    const panels = document.get('panels');
    if (!isSeq(panels)) throw noPlace(allowedEmptyFile, 'list of panels');
    const ofModel = panels.items.filter((item) => isMap(item) && item.get('dashboard') === model);
    const reason = `Until somebody asks ${name}, there is nothing to show; npm run traffic asks api-node alone.`;
    const added = ofModel.map((item) =>
      document.createNode({ dashboard: name, panel: isMap(item) && item.get('panel'), reason }),
    );
    const last = panels.items.findLastIndex((item) => ofModel.includes(item));
    panels.items.splice(last + 1, 0, ...added);
  });
}

const metricsComment =
  " The stand-in. What the program's own client adds belongs under `documented`, beside `recorded`.";

/** The list of metrics with those of a new service, behind the services that are there: its stub has the model's. */
export function metricsChange(root: string, { name }: NewService, services: readonly string[]): Promise<FileChange> {
  return edit(root, metricsFile, (text) =>
    editYaml(text, metricsFile, (document) => {
      const recorded = document.getIn([model, 'recorded']);
      const { contents } = document;
      if (!isMap(contents) || recorded === undefined) throw noPlace(metricsFile, `list ${model}.recorded`);
      const last = contents.items.findLastIndex(({ key }) => services.includes(keyOf(key)));
      contents.items.splice(last + 1, 0, metricsEntry(document, name, recorded));
    }),
  );
}

function metricsEntry(document: Document, name: string, recorded: unknown): Pair {
  const key = document.createNode(name) as Scalar;
  key.spaceBefore = true;
  key.commentBefore = metricsComment;
  const lists = new YAMLMap();
  lists.set('recorded', (recorded as YAMLMap).clone());
  return document.createPair(key, lists);
}

function keyOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : '';
}
