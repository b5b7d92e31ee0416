import { existsSync, lstatSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { UserError } from '../../lib/errors.ts';
import { namespaceOf, normalPath } from '../applications.ts';
import { manifestName } from '../manifests.ts';
import { isApplication, productionFolder, registrationsFolder } from '../registrations.ts';
import { filesBelow, readText } from '../text.ts';
import type { Finding, Located, Tools } from './finding.ts';
import { type Chart, type Rendering, render, renderAllOn } from './helm.ts';
import { locateGenerated, type Manifest, type RepositoryFiles, readManifest } from './manifests.ts';

/** The manifests of a checkout, or of a copy of it. Each is read and rendered once, when it is first asked for. */
export interface Repository extends RepositoryFiles {
  /** Absolute. */
  root: string;
  /** Of the services, in the order of their names; the library chart is none of them. */
  charts(): Promise<Chart[]>;
  /** What is wrong with those files, and with all others whose text was asked for until now. */
  faults(): Promise<Finding[]>;
  /** Each chart with values.yaml alone and with each overlay: what helm renders, or why it refuses. */
  renderings(): Promise<Rendering[]>;
  /** Each chart with all that is off in values.yaml switched on. */
  allOn(): Promise<Rendering[]>;
  /** All objects of `renderings`, but of those that helm refuses. */
  rendered(): Promise<Located[]>;
  /** One of those files. Each text is parsed once. */
  manifest(file: string): Promise<Manifest>;
}

/** One line of `npm run validate`. */
export interface ValidationCheck {
  /** The word that chooses it: `npm run validate -- policy`. */
  name: string;
  /** What is true when it finds nothing, as a short phrase. */
  title: string;
  /** Every rule that it knows: its id, and one sentence of what it demands. */
  rules: Readonly<Record<string, string>>;
  run(repository: Repository, tools: Tools): Promise<Finding[]>;
}

const folders = [registrationsFolder, 'observability', 'ingress', 'cluster', productionFolder];

/**
 * YAML and JSON in those folders that is no manifest: the list of metrics, what may be empty, what ConfigMaps are made of with
 * its unit tests, and how kubectl changes Argo CD's release.
 */
const noManifest =
  /^observability\/((metrics|allowed-empty)\.yaml$|[^/]+\/(config|dashboards)\/)|^cluster\/argocd\/(full\/)?kustomization\.yaml$/;

/** Makes the repository at `root`. `tools` has to find helm as soon as something is rendered. */
export function openRepository(root: string, tools: Tools): Repository {
  const texts = new Map<string, Promise<string>>();
  const unreadable: Finding[] = [];
  /** A file that is there and can't be read is a finding, and to all checks as if it were empty: they go on with the others. */
  const textOf = async (file: string) => {
    try {
      return await readText(root, file);
    } catch (error) {
      if (!(error instanceof UserError) || !lstatSync(join(root, file), { throwIfNoEntry: false })) throw error;
      unreadable.push({
        rule: 'file-readable',
        file,
        message: error.message,
        remedy: error.hint ?? 'Replace the file.',
      });
      return '';
    }
  };
  const manifests = new Map<string, Promise<Manifest>>();
  const repository: Repository = {
    root,
    charts: once(() => findCharts(repository)),
    manifests: async () => (await read()).flatMap(({ objects }) => objects),
    faults: async () => [...(await read()).flatMap(({ faults }) => faults), ...unreadable],
    renderings: once(async () => {
      const charts = await repository.charts();
      const wanted = charts.flatMap((chart) => [undefined, ...chart.overlays].map((overlay) => ({ chart, overlay })));
      return Promise.all(wanted.map(({ chart, overlay }) => render(root, chart, overlay, tools)));
    }),
    allOn: once(async () => {
      const valuesOf = ({ folder }: Chart) => repository.text(`${folder}/values.yaml`).catch(() => '');
      const charts = await repository.charts();
      return Promise.all(charts.map(async (chart) => renderAllOn(root, chart, await valuesOf(chart), tools)));
    }),
    rendered: async () => (await repository.renderings()).flatMap(({ objects }) => objects),
    manifest(file) {
      const parsed = manifests.get(file) ?? repository.text(file).then((text) => readManifest(text, file));
      manifests.set(file, parsed);
      return parsed;
    },
    text(file) {
      const known = texts.get(file) ?? textOf(file);
      texts.set(file, known);
      return known;
    },
    files: async (folder) => (existsSync(join(root, folder)) ? filesBelow(root, folder) : []),
  };
  const read = once(async () => {
    const files = (await Promise.all(folders.map((folder) => repository.files(folder)))).flat();
    const yaml = files.filter((file) => manifestName.test(file) && !noManifest.test(file));
    const generated = await locateGenerated(repository, root);
    const manifests = yaml.filter((file) => !generated.files.includes(file)).map((file) => repository.manifest(file));
    return [...(await Promise.all(manifests)), generated];
  });
  return repository;
}

async function findCharts(repository: Repository): Promise<Chart[]> {
  const files = await repository.files('helm');
  const charts = files.filter((file) => /^helm\/[^/]+\/Chart\.yaml$/.test(file));
  const applications = (await repository.manifests()).map(({ object }) => object).filter(isApplication);
  const found = await Promise.all(
    charts.map(async (file) => {
      const folder = file.slice(0, -'/Chart.yaml'.length);
      const overlays = files.filter((each) => each.startsWith(`${folder}/values-`) && /\.ya?ml$/.test(each));
      const application = applications.find(({ spec }) => normalPath(`${spec?.source?.path}`) === folder);
      const chart = {
        name: basename(folder),
        folder,
        overlays: overlays.map((each) => basename(each)),
        namespace: namespaceOf({ spec: application?.spec ?? {} }),
      };
      return isLibrary(await repository.text(file)) ? [] : [chart];
    }),
  );
  return found.flat();
}

/** A Chart.yaml that is no YAML is left to helm, which says what is wrong with it. */
function isLibrary(text: string): boolean {
  try {
    return parse(text, { logLevel: 'error' })?.type === 'library';
  } catch {
    return false;
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
