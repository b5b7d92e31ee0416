import { isMap, isSeq } from 'yaml';
import { allowedEmptyFile } from '../dashboards/allowed-empty.ts';
import { bringing, bringingFiles } from '../dashboards/config-maps.ts';
import { dashboardSizes, fileOf } from '../dashboards/files.ts';
import { fileText, type JsonMap } from '../dashboards/normal-form.ts';
import { type Change, edit, editYaml, noPlace, renamed, textOf } from './change.ts';
import { model, type Wish } from './wish.ts';

/** The dashboard of a new service, which is the model's under another name, and what makes it known. */
export async function dashboardOf(root: string, { name }: Wish): Promise<Change[]> {
  const board = JSON.parse(renamed(await textOf(root, fileOf(model)), model, name)) as JsonMap;
  const description = `${name} by rate, errors and duration (RED), and its pods.`;
  const after = fileText({ ...board, uid: name, title: name, description });
  return [
    { file: fileOf(name), after },
    ...(await broughtTo(root, name, after)),
    await edit(root, allowedEmptyFile, (text) => withEmptyPanels(text, name)),
  ];
}

/** What has a ConfigMap take it, and Grafana's pod mount that. */
async function broughtTo(root: string, name: string, text: string): Promise<Change[]> {
  const [kustomization, deployment] = await Promise.all(
    [bringingFiles.kustomization, bringingFiles.deployment].map((file) => textOf(root, file)),
  );
  const before = { kustomization: kustomization ?? '', deployment: deployment ?? '' };
  const after = bringing(before, name, (await dashboardSizes(root)).set(name, Buffer.byteLength(text)));
  const parts = ['kustomization', 'deployment'] as const;
  return parts
    .filter((part) => after[part] !== before[part])
    .map((part) => ({ file: bringingFiles[part], before: before[part], after: after[part] }));
}

/** The list of panels that may be empty, with those of the new dashboard that are empty until somebody asks the service. */
function withEmptyPanels(text: string, name: string): string {
  return editYaml(text, allowedEmptyFile, (document) => {
    const panels = document.get('panels');
    if (!isSeq(panels)) throw noPlace(allowedEmptyFile, 'list of panels');
    const ofModel = panels.items.filter((item) => isMap(item) && item.get('dashboard') === model);
    const reason = `Until somebody asks ${name}, there is nothing to show; npm run load asks api-node alone.`;
    const added = ofModel.map((item) =>
      document.createNode({ dashboard: name, panel: isMap(item) && item.get('panel'), reason }),
    );
    const last = panels.items.findLastIndex((item) => ofModel.includes(item));
    panels.items.splice(last + 1, 0, ...added);
  });
}
