import { lstat, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Chart } from '../../../repository/rendering/helm.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { readYaml, type YamlDocument } from '../../../repository/yaml.ts';

interface Dependency {
  name?: string;
  version?: string;
  repository?: string;
}

/**
 * Each dependency is a relative link to a chart of this repository, in the version that is asked for: a fresh clone
 * renders offline, with no `helm dependency build`. helm itself doesn't compare the versions.
 */
export async function checkDependencies(repository: Repository, chart: Chart): Promise<Finding[]> {
  const file = `${chart.folder}/Chart.yaml`;
  const [document] = readYaml(await repository.text(file));
  if (document === undefined || document.error) return [];
  const { dependencies = [] } = (document.value ?? {}) as { dependencies?: Dependency[] };
  const found = dependencies.map(async (dependency, i): Promise<Finding[]> => {
    const fault = await faultOf(repository, chart, dependency);
    const line = document.line(['dependencies', i]);
    return fault === undefined
      ? []
      : [{ rule: 'chart-dependency', file, ...(line !== undefined && { line }), ...fault }];
  });
  return (await Promise.all(found)).flat();
}

async function faultOf(
  repository: Repository,
  chart: Chart,
  { name = '', version, repository: source = '' }: Dependency,
): Promise<Pick<Finding, 'message' | 'remedy'> | undefined> {
  if (!source.startsWith('file://../')) {
    return {
      message: `${name} comes from ${source || 'nowhere'}, which takes a download before each rendering.`,
      remedy: `Take it from a folder of this repository, as in file://../${name || 'common'}.`,
    };
  }
  const target = posix.join('..', source.slice('file://'.length));
  const link = `${chart.folder}/charts/${name}`;
  const leadsTo = await linkTarget(join(repository.root, link));
  if (leadsTo !== target) {
    return {
      message: `${link} is ${leadsTo === undefined ? 'no link' : `a link to ${leadsTo}`}, and one to ${target} is wanted.`,
      remedy: `ln -sfn ${target} ${link}`,
    };
  }
  const library = posix.join(chart.folder, 'charts', target, 'Chart.yaml');
  const [document]: (YamlDocument | undefined)[] = readYaml(await repository.text(library).catch(() => ''));
  const has = (document?.value as { version?: string } | undefined)?.version;
  if (has === version) return undefined;
  return {
    message: `${name} ${version} is asked for, and ${library} is ${has === undefined ? 'not there' : `version ${has}`}.`,
    remedy: `Write version: ${has ?? version} here, or in ${library} the other way round.`,
  };
}

async function linkTarget(path: string): Promise<string | undefined> {
  const state = await lstat(path).catch(() => undefined);
  return state?.isSymbolicLink() ? readlink(path) : undefined;
}
