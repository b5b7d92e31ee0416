import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readManifests } from './components/manifests.ts';
import type { Context } from './context.ts';
import { messageOf, UserError } from './lib/errors.ts';
import { type Checkout, filesAt } from './lib/git.ts';
import type { KubeObject } from './lib/objects.ts';

/** The namespace that the services run in, as in production. */
export const servicesNamespace = 'default';
/** The values file that a local cluster uses in place of production's. */
const localValues = 'values-dev.yaml';
const productionValues = 'values-prod.yaml';

export interface Application extends KubeObject {
  spec: {
    source: {
      repoURL: string;
      targetRevision: string;
      path: string;
      helm: { releaseName: string; valueFiles: string[] };
    };
    [field: string]: unknown;
  };
  status?: {
    sync?: { status: string; revision?: string };
    health?: { status: string; message?: string };
    conditions?: { type: string; message: string }[];
    operationState?: { phase: string; message?: string; syncResult?: { revision?: string } };
    summary?: { images?: string[] };
    resources?: { kind: string; name: string; status?: string; health?: { status: string; message?: string } }[];
  };
}

/** What `argocd/` registers: the Applications, one for each service, and the project that they are in. */
export async function readRegistrations(root: string): Promise<{ project: KubeObject[]; applications: Application[] }> {
  const files = (await readdir(join(root, 'argocd'))).filter((file) => file.endsWith('.yaml')).sort();
  const objects = await readManifests(
    root,
    files.map((file) => join('argocd', file)),
  );
  return {
    project: objects.filter(({ kind }) => kind !== 'Application'),
    applications: objects.filter(({ kind }) => kind === 'Application') as Application[],
  };
}

/** The names of the values files with which a local cluster renders a chart. */
export function localValueFiles({ spec }: Application): string[] {
  return spec.source.helm.valueFiles.map((file) => (file === productionValues ? localValues : file));
}

/**
 * The image that each service's values name at the commit that is checked out. Throws a `UserError` where they name
 * none, or where YAML reads the tag as a number, since `1e5` and `100000` would then be the same tag.
 */
export async function imagesAtHead(context: Context): Promise<Map<string, string>> {
  const checkout = await context.checkout();
  const known = read.get(checkout) ?? readImages(context, checkout);
  read.set(checkout, known);
  return known;
}

const read = new WeakMap<Checkout, Promise<Map<string, string>>>();

async function readImages(context: Context, { top, prefix, head }: Checkout): Promise<Map<string, string>> {
  const { applications } = await readRegistrations(context.config.root);
  const filesOf = (application: Application) =>
    localValueFiles(application).map((file) => `${prefix}${application.spec.source.path}/${file}`);
  const texts = await filesAt(context.exec, top, head, applications.flatMap(filesOf));
  return new Map(
    applications.map((application) => {
      const image: { repository?: unknown; tag?: unknown } = Object.assign(
        {},
        ...filesOf(application).map((file) => imageIn(file, texts.get(file) ?? '', head)),
      );
      return [application.metadata.name, checked(image, `${application.spec.source.path}/values.yaml`, head)] as const;
    }),
  );
}

/** The `image` of a values file. Read as YAML 1.1, as Helm does, in which more texts are numbers than in today's YAML. */
function imageIn(file: string, text: string, head: string): object {
  try {
    const values = parse(text, { version: '1.1', logLevel: 'error' }) as { image?: object } | null;
    return values?.image ?? {};
  } catch (cause) {
    throw new UserError(`${file} at ${head.slice(0, 7)} is not valid YAML: ${messageOf(cause).split('\n')[0]}`, {
      hint: 'Correct it and commit.',
      cause,
    });
  }
}

function checked({ repository, tag }: { repository?: unknown; tag?: unknown }, file: string, head: string): string {
  const at = `${file} at ${head.slice(0, 7)}`;
  if (typeof repository !== 'string' || repository === '') {
    throw new UserError(`${at} names no image.repository.`, { hint: 'Commit a values file that has one.' });
  }
  if (typeof tag !== 'string' || tag === '') {
    throw new UserError(`${at} has an image.tag that YAML does not read as a text.`, {
      hint: 'Put the tag into quotes and commit.',
    });
  }
  return `${repository}:${tag}`;
}
