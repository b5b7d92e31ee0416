import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { writeWhole } from '../../lib/files.ts';
import { readmeOf } from '../../repository/generated/chart-readme.ts';
import { chartVersion, raiseVersions, recordAnnotation } from '../../repository/generated/chart-version.ts';
import type { Finding, Tools } from '../../repository/rendering/finding.ts';
import { openRepository, type Repository, type ValidationCheck } from '../../repository/rendering/repository.ts';
import { readYaml } from '../../repository/yaml.ts';

/** Whether a chart is in order as something that others take over: its version, its README, and nothing packed in it. */
export const validateReleases: ValidationCheck = {
  name: 'releases',
  title: 'charts have versions and READMEs that fit them',
  rules: {
    'chart-version': 'Templates that changed have a new version of the chart, and Chart.yaml records them.',
    'chart-readme': "A chart's README lists its values as values.yaml and the schema have them.",
    'chart-packed': 'No packed chart lies in a charts folder, where helm would take it in place of the link.',
  },
  async run(repository, tools) {
    const charts = await repository.charts();
    const folders = charts.map(({ folder }) => folder);
    const library = (await repository.files('helm/common')).includes('helm/common/Chart.yaml') ? ['helm/common'] : [];
    const found = await Promise.all([
      ...[...library, ...folders].map((folder) => checkVersion(repository, tools, folder, folders)),
      ...charts.map((chart) => checkReadme(repository, chart)),
      checkPacked(repository),
    ]);
    return found.flat();
  },
};

async function checkVersion(
  repository: Repository,
  tools: Tools,
  folder: string,
  folders: readonly string[],
): Promise<Finding[]> {
  const { file, version, recorded, wanted, outdated } = await chartVersion(repository, folder);
  if (recorded === wanted) return [];
  const [document] = readYaml(await repository.text(file));
  const { root } = repository;
  return [
    {
      rule: 'chart-version',
      file,
      line: document?.line(['version']),
      message: outdated
        ? `The templates are not those that version ${version} was given to.`
        : `The annotation ${recordAnnotation} is ${recorded ?? 'missing'}, and "${wanted}" is wanted.`,
      remedy: outdated
        ? 'Raise the version, and npm run validate -- --fix; that alone raises it by a patch.'
        : 'npm run validate -- --fix',
      fix: () => raiseVersions(root, folders, () => openRepository(root, tools)),
    },
  ];
}

async function checkReadme(repository: Repository, chart: Parameters<typeof readmeOf>[1]): Promise<Finding[]> {
  const file = `${chart.folder}/README.md`;
  const finding = (message: string, remedy: string): Finding => ({ rule: 'chart-readme', file, message, remedy });
  const read = await readmeOf(repository, chart).catch((error: unknown) => {
    if (error instanceof UserError) return error;
    throw error;
  });
  if (read instanceof UserError) return [finding(read.message, read.hint ?? 'npm run doctor')];
  const { now, wanted } = read;
  if (wanted === undefined)
    return [finding('It has no place for the values.', 'Take over what the README of another chart has for them.')];
  if (now === wanted) return [];
  const lines = now.split('\n');
  const line = 1 + wanted.split('\n').findIndex((text, i) => text !== lines[i]);
  const made = finding('The values that it lists are not those of the chart.', 'npm run validate -- --fix');
  return [{ ...made, line, fix: async () => writeWhole(join(repository.root, file), wanted) }];
}

/** `helm dependency build` packs the library beside the link, and from then on helm renders that copy. */
async function checkPacked(repository: Repository): Promise<Finding[]> {
  const packed = (await repository.files('helm')).filter((file) => /^helm\/[^/]+\/charts\/[^/]+\.tgz$/.test(file));
  return packed.map((file) => ({
    rule: 'chart-packed',
    file,
    message: 'This copy of a chart falls behind: the link beside it leads to the chart itself.',
    remedy: 'Delete it. Nothing here needs helm dependency build.',
    fix: () => rm(join(repository.root, file)),
  }));
}
