import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { writeWhole } from '../../lib/files.ts';
import type { RepositoryFiles } from '../rendering/manifests.ts';
import { editYaml, mapIn, mapsIn, readYaml } from '../yaml.ts';

/** The files of a checkout, or those that are about to be written. */
type Files = Pick<RepositoryFiles, 'files' | 'text'>;

/** The annotation of a Chart.yaml that says which templates its version is of: `0.2.0 5e88489f3a1c`. */
export const recordAnnotation = 'platform-ops/templates';

/** The library chart, whose templates are part of every chart. */
const library = 'helm/common';

/**
 * What a chart renders from, as a number: its templates, and with them the library's and the schema. Not its values, which CI
 * promotes in.
 * @returns 12 hexadecimal digits
 */
async function templatesHash(files: Files, folder: string): Promise<string> {
  const own = (await files.files(`${folder}/templates`)).map((file) => file.slice(folder.length + 1));
  const named = folder === library ? [...own, 'service.schema.json'] : own;
  const texts = await Promise.all(named.map(async (name) => [name, await files.text(`${folder}/${name}`)]));
  const below = folder === library ? '' : await templatesHash(files, library);
  const hash = createHash('sha256').update(JSON.stringify([texts, below]));
  return hash.digest('hex').slice(0, 12);
}

/** How a chart's version stands to its templates. */
interface ChartVersion {
  file: string;
  version: string;
  /** What Chart.yaml records, and what it should. */
  recorded: string | undefined;
  wanted: string;
  /** The templates are other ones than those that this very version was of. */
  outdated: boolean;
}

/** Reads the version of the chart in a folder. @throws where Chart.yaml can't be read */
export async function chartVersion(files: Files, folder: string): Promise<ChartVersion> {
  const file = `${folder}/Chart.yaml`;
  const [document] = readYaml(await files.text(file));
  const { version, annotations } = mapIn<{ version: unknown; annotations: unknown }>(document?.value);
  const recorded = mapIn<Record<string, string>>(annotations)[recordAnnotation];
  const wanted = `${version} ${await templatesHash(files, folder)}`;
  const outdated = recorded !== wanted && recorded?.split(' ')[0] === String(version);
  return { file, version: String(version), recorded, wanted, outdated };
}

/**
 * Raises the version of each chart whose templates changed, the library's first, and records them. What is in order stays as
 * it is, so it can be called for each finding.
 * @param open reads the files of `root` as they are at that moment
 */
export async function raiseVersions(root: string, folders: readonly string[], open: () => Files): Promise<void> {
  for (const folder of [library, ...folders]) {
    const { file, version, recorded, wanted, outdated } = await chartVersion(open(), folder);
    const next = outdated ? version.replace(/\d+$/, (patch) => String(Number(patch) + 1)) : version;
    const record = outdated ? `${next} ${wanted.split(' ')[1]}` : wanted;
    const common = (await chartVersion(open(), library)).version;
    const text = await open().text(file);
    const { dependencies } = mapIn<{ dependencies: unknown }>(readYaml(text)[0]?.value);
    const index = mapsIn<{ name: string; version: string }>(dependencies).findIndex(({ name }) => name === 'common');
    if (recorded === record && (index < 0 || mapsIn<{ version: string }>(dependencies)[index]?.version === common))
      continue;
    const after = editYaml(text, file, (document) => {
      document.set('version', next);
      document.setIn(['annotations', recordAnnotation], record);
      if (index >= 0) document.setIn(['dependencies', index, 'version'], common);
    });
    writeWhole(join(root, file), after);
  }
}
