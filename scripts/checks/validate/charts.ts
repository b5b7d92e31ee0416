import { lstat, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Finding, Tools, ValidationCheck } from '../../repository/rendering/finding.ts';
import { type Chart, helmOptions, type Rendering } from '../../repository/rendering/helm.ts';
import { locateHelmError } from '../../repository/rendering/helm-error.ts';
import type { Repository } from '../../repository/rendering/repository.ts';
import { readYaml, type YamlDocument } from '../../repository/yaml.ts';

/** Each chart, with values.yaml alone and with each file on top of it. */
export const validateCharts: ValidationCheck = {
  name: 'charts',
  title: 'the charts render with each values file',
  rules: {
    'chart-dependency': 'A dependency is a relative link to a chart of this repository in the version asked for.',
    'chart-values': 'Values are such as the schema and the templates of the chart allow.',
    'chart-unquoted-text': 'A value that is text is not one that YAML takes for a number, as a tag of digits is.',
    'chart-refused': 'helm template renders the chart.',
    'chart-lint': 'helm lint --strict has nothing to say.',
  },
  async run(repository, tools) {
    const renderings = (await repository.renderings()).filter(({ known }) => !known);
    const all = await Promise.all([
      ...(await repository.charts()).map((chart) => checkDependencies(repository, chart)),
      ...(await repository.allOn()).map(async (rendering) =>
        rendering.refusal === undefined ? [] : locateHelmError(repository, rendering, rendering.refusal),
      ),
      // Of a chart that it can't render, helm lint says the same once more.
      ...renderings.map((rendering) =>
        rendering.refusal === undefined
          ? lintChart(repository.root, rendering, tools)
          : locateHelmError(repository, rendering, rendering.refusal),
      ),
    ]);
    return all.flat();
  },
};

interface Dependency {
  name?: string;
  version?: string;
  repository?: string;
}

/**
 * Each dependency is a relative link to a chart of this repository, in the version that is asked for: a fresh clone
 * renders offline, with no `helm dependency build`. helm itself doesn't compare the versions.
 */
async function checkDependencies(repository: Repository, chart: Chart): Promise<Finding[]> {
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

/** What `helm lint --strict` says of a chart with one choice of values. */
async function lintChart(root: string, { chart, values }: Rendering, tools: Tools): Promise<Finding[]> {
  const helm = await tools.find('helm');
  const overlay = values === 'values.yaml' ? undefined : values;
  const folder = join(root, chart.folder);
  const { stdout, stderr, exitCode } = await tools.exec(
    [helm.path, 'lint', '--strict', folder, ...helmOptions(root, chart, overlay)],
    { nothrow: true, timeout: 60_000 },
  );
  if (exitCode === 0) return [];
  // `[WARNING] templates/hpa.yaml: autoscaling/v2beta2 ... is deprecated`, with the text going on in indented lines.
  const messages = [...stdout.matchAll(/^\[(?:ERROR|WARNING)\] ([^:\n]*): (.*(?:\n(?!\[|==>|\n).*)*)/gm)];
  if (messages.length === 0) return [finding('Chart.yaml', stderr.trim())];
  return messages.map(([, place = '', text = '']) => finding(/\.\w+$/.test(place) ? place : 'Chart.yaml', text));

  function finding(place: string, text: string): Finding {
    return {
      rule: 'chart-lint',
      file: `${chart.folder}/${place}`,
      message: `helm lint says: ${text.replaceAll(`${root}/`, '').replaceAll(/\s+/g, ' ').trim()}`,
      remedy: 'Correct what it names; helm lint --strict takes a warning for an error.',
      renderings: [values],
    };
  }
}
