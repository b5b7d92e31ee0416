import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { isSeq } from 'yaml';
import { UsageError } from '../../lib/errors.ts';
import { editsAfter } from '../generated/monitoring.ts';
import { readRegistrations } from '../registrations.ts';
import { readText } from '../text.ts';
import { editYaml } from '../yaml.ts';
import { edit, type FileChange, noPlace, renamed } from './changes.ts';
import { chartChanges } from './chart.ts';
import { dashboardChanges, metricsChange } from './monitoring.ts';
import type { NewService } from './options.ts';

/**
 * All that a new service needs, by file; nothing is written yet. Throws a `UsageError` where one of the new files is there,
 * and a `UserError` where a file that has to be edited is not as it has to be.
 */
export async function planService(root: string, wish: NewService): Promise<FileChange[]> {
  const services = (await readRegistrations(root)).applications.map(({ metadata }) => metadata.name);
  const folder = `helm/${wish.name}`;
  if (isThere(root, folder)) throw alreadyThere(folder);
  const changes = [
    ...(await chartChanges(root, wish)),
    await applicationChange(root, wish),
    await metricsChange(root, wish, services),
    ...(await dashboardChanges(root, wish)),
    await stubChange(root, wish),
    ...(await workflowChanges(root, wish)),
  ];
  changes.push(...(await editsAfter(root, new Map(changes.map(({ file, after }) => [file, after])))));
  const there = changes.find(({ file, before }) => before === undefined && isThere(root, file));
  if (there) throw alreadyThere(there.file);
  return changes.toSorted((one, other) => (one.file < other.file ? -1 : 1));
}

/** Also a link that leads nowhere. */
function isThere(root: string, file: string): boolean {
  return lstatSync(join(root, file), { throwIfNoEntry: false }) !== undefined;
}

function alreadyThere(file: string): UsageError {
  return new UsageError(
    `${file} is there already, and nothing is overwritten.`,
    'Choose another name, or take away what is left of an earlier service.',
  );
}

/** The Application of a new service: that of the model under another name, with a first line of its own. */
async function applicationChange(root: string, { name, model }: NewService): Promise<FileChange> {
  const text = renamed(await readText(root, `argocd/${model}.yaml`), model, name);
  const after = text.replace(new RegExp(`^# ${name}: .*`), `# ${name}: an HTTP service inside the cluster.`);
  return { file: `argocd/${name}.yaml`, after };
}

const stubFile = 'standins/server.mjs';
/** The services that it can play, with the line that ends them. */
const stubList = /^const services = \{\n(?:.*\n)*?(?=\};$)/m;

/** The stub with a part for a new service, so that `up` works before there is an image, or a token for it. */
function stubChange(root: string, { name, port }: NewService): Promise<FileChange> {
  return edit(root, stubFile, (text) => {
    if (!stubList.test(text) || !text.includes('const httpService ='))
      throw noPlace(stubFile, 'list of services to add to');
    // As the formatter would have it: quotes where the name needs them.
    const key = /^[a-z0-9]+$/.test(name) ? name : `'${name}'`;
    return text.replace(stubList, (found) => `${found}  ${key}: httpService('${name}', ${port}),\n`);
  });
}

const workflowFile = 'docs/promote-workflow.yml';

/** The workflow that builds the services' images, with a new one among them. None where somebody took the file away. */
async function workflowChanges(root: string, { name }: NewService): Promise<FileChange[]> {
  if (!existsSync(join(root, workflowFile))) return [];
  const change = await edit(root, workflowFile, (text) =>
    editYaml(text, workflowFile, (document) => {
      const services = document.getIn(['jobs', 'images', 'strategy', 'matrix', 'service']);
      if (!isSeq(services)) throw noPlace(workflowFile, 'matrix of services');
      services.add(name);
    }),
  );
  return [change];
}
