import { type Document, isMap, isScalar, isSeq, type Pair, type Scalar, YAMLMap } from 'yaml';
import { allowedEmptyFile, dashboardPath } from '../dashboards/files.ts';
import { fileText, type JsonMap } from '../dashboards/normal-form.ts';
import { metricsFile } from '../metric-names.ts';
import { readText, understood } from '../text.ts';
import { editYaml } from '../yaml.ts';
import { edit, type FileChange, noPlace, renamed } from './changes.ts';
import type { NewService } from './options.ts';

/** The dashboard of a new service, which is the model's under another name, and what makes it known. */
export async function dashboardChanges(root: string, { name, model }: NewService): Promise<FileChange[]> {
  const text = renamed(await readText(root, dashboardPath(model)), model, name);
  const board = understood(dashboardPath(model), () => JSON.parse(text) as JsonMap);
  const description = `${name} by rate, errors and duration (RED), and its pods.`;
  const after = fileText({ ...board, uid: name, title: name, description });
  return [
    { file: dashboardPath(name), after },
    await edit(root, allowedEmptyFile, (text) => withEmptyPanels(text, name, model)),
  ];
}

/** The list of panels that may be empty, with those of the new dashboard that are empty until somebody asks the service. */
function withEmptyPanels(text: string, name: string, model: string): string {
  return editYaml(text, allowedEmptyFile, (document) => {
    const panels = document.get('panels');
    if (!isSeq(panels)) throw noPlace(allowedEmptyFile, 'list of panels');
    const ofModel = panels.items.filter((item) => isMap(item) && item.get('dashboard') === model);
    const reason = `Until somebody asks ${name}, there is nothing to show; npm run traffic asks the service with the Ingress alone.`;
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
export function metricsChange(
  root: string,
  { name, model }: NewService,
  services: readonly string[],
): Promise<FileChange> {
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
