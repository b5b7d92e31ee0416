import { lstatSync, readlinkSync } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { dirname, join, posix, relative } from 'node:path';
import { appliedManifests } from '../../components/applied.ts';
import { pathFromHere } from '../../lib/files.ts';
import { gitIn, readPaths } from '../../lib/git/run.ts';
import { productionFolder } from '../../repository/registrations.ts';
import type { Finding, Tools } from '../../repository/rendering/finding.ts';
import { type Chart, helmOptions, type Rendering } from '../../repository/rendering/helm.ts';
import { locateHelmError } from '../../repository/rendering/helm-error.ts';
import { embeddedTexts, generatedRules, syntaxFault } from '../../repository/rendering/manifests.ts';
import type { Repository, ValidationCheck } from '../../repository/rendering/repository.ts';
import { mapIn, mapsIn, readYaml } from '../../repository/yaml.ts';

/** Whether the manifests and the charts' values can be read at all. */
export const validateFiles: ValidationCheck = {
  name: 'files',
  title: 'every YAML file can be read',
  rules: {
    'file-readable': 'Every file is UTF-8 text, and no link leads to nothing.',
    'link-inside': 'No symbolic link leads out of the repository: Argo CD refuses all of one that has such a link.',
    'yaml-syntax': 'Every YAML file is valid, and no key stands twice in the same place.',
    'yaml-object': 'Every document of a manifest has apiVersion, kind and metadata.name.',
    ...generatedRules,
    'manifest-applied':
      'Something applies each manifest but those of docs/production/: a component, or an Application that deploys its folder.',
  },
  async run(repository, { exec }) {
    const inputs = (await repository.files('helm')).filter((file) => /^helm\/[^/]+\/[^/]+\.ya?ml$/.test(file));
    const read = inputs.map(async (file) =>
      readYaml(await repository.text(file)).flatMap(({ error }) => (error ? [syntaxFault(file, error)] : [])),
    );
    const ofInputs = (await Promise.all(read)).flat();
    return [
      ...(await repository.faults()),
      ...ofInputs,
      ...(await embeddedFaults(repository)),
      ...(await notApplied(repository, exec)),
      ...(await linksOutside(repository, exec)),
      ...(await repository.renderings()).flatMap(({ faults }) => faults),
    ];
  },
};

/** What is wrong with the YAML that ConfigMaps carry: programs read it when they start. */
async function embeddedFaults(repository: Repository): Promise<Finding[]> {
  const texts = (await embeddedTexts(repository, '')).filter(({ key }) => /\.ya?ml$/.test(key));
  return texts.flatMap(({ file, key, text, line }) =>
    readYaml(text).flatMap(({ error }) => {
      if (!error) return [];
      const fault = syntaxFault(file, { line: line(error.line) ?? 1, message: error.message });
      return file.endsWith(key) ? [fault] : [{ ...fault, message: `${key}: ${fault.message}` }];
    }),
  );
}

/**
 * Every link that Git has or would add, wherever it is: Argo CD looks at them all (util/app/path, CheckOutOfBoundsSymlinks). In a
 * copy without Git it is those of the folders that are read here.
 */
async function linksOutside({ root, files }: Repository, exec: Tools['exec']): Promise<Finding[]> {
  const { exitCode, stdout } = await gitIn(exec, root, 'reading').attempt(['rev-parse', '--show-toplevel']);
  const top = exitCode === 0 ? stdout.replace(/\n$/, '') : root;
  const listed =
    exitCode === 0
      ? await readPaths(gitIn(exec, top, 'reading'), ['ls-files', '-z', '--cached', '--others', '--exclude-standard'])
      : (await Promise.all(['argocd', 'cluster', 'helm', 'ingress', 'observability'].map(files))).flat();
  return [...new Set(listed)].flatMap((file): Finding[] => {
    const path = join(top, file);
    if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return [];
    const target = readlinkSync(path);
    if (!posix.isAbsolute(target) && join(dirname(path), target).startsWith(join(top, '/'))) return [];
    const message = `It is a symbolic link out of the repository, to ${target}: Argo CD refuses all of a repository with one.`;
    const remedy = 'Link to a file of the repository, or copy it there.';
    return [{ rule: 'link-inside', file: relative(root, path), message, remedy }];
  });
}

async function notApplied(repository: Repository, exec: Tools['exec']): Promise<Finding[]> {
  const manifests = (await repository.manifests()).filter(({ file }) => !file.startsWith('argocd/'));
  const registered = (await repository.manifests()).filter(({ file }) => file.startsWith('argocd/'));
  const place = { exec, config: { root: repository.root, gitops: undefined } };
  const objects = registered.map(({ object }) => object);
  const isApplied = await appliedManifests(place, objects);
  const files = new Set(manifests.map(({ file }) => file));
  return [...files]
    .filter((file) => !isApplied(file) && !file.startsWith(`${productionFolder}/`))
    .map((file) => ({
      rule: 'manifest-applied',
      file,
      message: 'Nothing applies this manifest.',
      remedy: 'Let an Application in argocd/ deploy its folder, move it into ingress/ itself, or remove it.',
    }));
}

/** Each chart, with values.yaml alone and with each file on top of it. */
export const validateCharts: ValidationCheck = {
  name: 'charts',
  title: 'the charts render with each values file',
  rules: {
    'chart-dependency': 'A dependency is a relative link to a chart of this repository in the version asked for.',
    'chart-values': 'Values are such as the schema and the templates of the chart allow.',
    'chart-unquoted-text': 'A value that is text is not one that YAML takes for a number, as a tag of digits is.',
    'chart-refused': 'helm template renders the chart.',
    'chart-lint': 'helm lint --strict passes.',
  },
  async run(repository, tools) {
    const renderings = await repository.renderings();
    const checked = await Promise.all([
      ...(await repository.charts()).map((chart) => checkDependencies(repository, chart)),
      ...[...(await repository.allOn()), ...renderings].map(async (rendering) => {
        if (rendering.refusal !== undefined) return locateHelmError(repository, rendering, rendering.refusal);
        // Of a chart that it can't render, helm lint says the same once more.
        return renderings.includes(rendering) ? lintChart(repository.root, rendering, tools) : [];
      }),
    ]);
    return checked.flat();
  },
};

interface Dependency {
  name: string;
  version: string;
  repository: string;
}

/**
 * Each dependency is a relative link to a chart of this repository, in the version that is asked for: a fresh clone
 * renders offline, with no `helm dependency build`. helm itself doesn't compare the versions.
 */
async function checkDependencies(repository: Repository, chart: Chart): Promise<Finding[]> {
  const file = `${chart.folder}/Chart.yaml`;
  const [document] = readYaml(await repository.text(file));
  const { dependencies } = mapIn<{ dependencies: unknown }>(document?.value);
  const found = mapsIn<Dependency>(dependencies).map(async (dependency, i): Promise<Finding[]> => {
    const fault = await faultOf(repository, chart, dependency);
    if (fault === undefined) return [];
    const [message, remedy] = fault;
    return [{ rule: 'chart-dependency', file, line: document?.line(['dependencies', i]), message, remedy }];
  });
  return (await Promise.all(found)).flat();
}

async function faultOf(
  repository: Repository,
  { folder }: Chart,
  { name = '', version, repository: source = '' }: Partial<Dependency>,
): Promise<[message: string, remedy: string] | undefined> {
  if (!source.startsWith('file://../')) {
    const message = `${name} comes from ${source || 'nowhere'}, which takes a download before each rendering.`;
    return [message, `Take it from a folder of this repository, as in file://../${name || 'common'}.`];
  }
  const target = posix.join('..', source.slice('file://'.length));
  const link = `${folder}/charts/${name}`;
  const leadsTo = await linkTarget(join(repository.root, link));
  if (leadsTo !== target) {
    const what = leadsTo === undefined ? 'not a link' : `a link to ${leadsTo}`;
    return [`${link} is ${what}, and one to ${target} is wanted.`, `ln -sfn ${target} ${link}`];
  }
  const library = posix.join(folder, 'charts', target, 'Chart.yaml');
  const [document] = readYaml(await repository.text(library).catch(() => ''));
  const { version: has } = mapIn<Dependency>(document?.value);
  if (has === version) return undefined;
  const state = has === undefined ? 'missing' : `version ${has}`;
  return [
    `${name} ${version} is asked for, and ${library} is ${state}.`,
    `Write version: ${has ?? version} here, or in ${library} the other way round.`,
  ];
}

async function linkTarget(path: string): Promise<string | undefined> {
  const state = await lstat(path).catch(() => undefined);
  return state?.isSymbolicLink() ? readlink(path) : undefined;
}

/** What `helm lint --strict` says of a chart with one choice of values. */
async function lintChart(root: string, { chart, values }: Rendering, tools: Tools): Promise<Finding[]> {
  const helm = await tools.find('helm');
  const overlay = values === 'values.yaml' ? undefined : values;
  const folder = pathFromHere(join(root, chart.folder));
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
