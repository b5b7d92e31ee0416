import { relative } from 'node:path';
import type { ClusterContext } from '../kubernetes/context.ts';
import { type Checkout, shortSha, uncommittedFiles } from '../lib/git/checkout.ts';
import { filesAt } from '../lib/git/commits.ts';
import { isRecord } from '../lib/text.ts';
import { parseManifest } from '../lib/yaml-cache.ts';
import { localValueFiles, namespaceOf, type ServiceApplication } from './applications.ts';
import { invalidValues, invalidYaml } from './image-values.ts';
import { readServiceApplications } from './registrations.ts';
import { mapIn, mapsIn, textsIn } from './yaml.ts';

/**
 * The image that each service's values name at the commit that is checked out. A chart written by hand may name none in that
 * way. Throws a `UserError` where a part of it is missing, or where YAML reads the tag as a number, since `1e5` and `100000`
 * would then be the same tag.
 */
export async function imagesAtHead(context: ClusterContext): Promise<Map<string, string>> {
  return (await atHead(context)).images;
}

/** A service, as its Application and its values have it at the commit that is checked out. */
export interface ServiceAtHead {
  name: string;
  namespace: string;
  /** The folder of its chart. */
  path: string;
  /** The name of the program in its image, as `core-go` of `ghcr.io/zainasr/core-go:1df3b1f`; undefined where no image is named. */
  program: string | undefined;
  /** The services that it calls, as its network policy has them. */
  calls: readonly string[];
  /** Whether its values say how many pods it has, as those of the library chart do. */
  isScalable: boolean;
}

/** All services, in the order of the files of `argocd/`. */
export async function servicesAtHead(context: ClusterContext): Promise<ServiceAtHead[]> {
  const { applications, values, images } = await atHead(context);
  return applications.map((application) => {
    const { name } = application.metadata;
    const own = values.get(name) ?? {};
    const image = images.get(name);
    return {
      name,
      namespace: namespaceOf(application),
      path: application.spec.source.path,
      program: image === undefined ? undefined : programOf(image),
      calls: mapsIn<{ name: string }>(own.networkPolicy?.toServices).flatMap((one) => one.name ?? []),
      isScalable: typeof own.replicaCount === 'number',
    };
  });
}

/** The last part of an image's name: `core-go` of `ghcr.io/zainasr/core-go:1df3b1f`. */
export function programOf(image: string): string {
  return image.slice(image.lastIndexOf('/') + 1).replace(/[:@].*$/, '');
}

/** An Ingress, as a service's values ask for it. */
export interface ServiceIngress {
  service: string;
  namespace: string;
  hosts: string[];
  tls: { secretName: string; hosts: string[] }[];
  /** By their names. */
  annotations: Record<string, unknown>;
}

/** The Ingresses that the services' values ask for at the commit that is checked out. */
export async function ingressesAtHead(context: ClusterContext): Promise<ServiceIngress[]> {
  const { applications, values } = await atHead(context);
  return applications.flatMap((application) => {
    const service = application.metadata.name;
    const { ingress } = values.get(service) ?? {};
    if (!ingress?.enabled) return [];
    const hosts = mapsIn<{ host: string }>(ingress.hosts).flatMap(({ host }) => host ?? []);
    const tls = mapsIn<{ secretName: string; hosts: string[] }>(ingress.tls).flatMap((one) => {
      // Without a Secret's name the controller takes a certificate of its own.
      if (one.secretName === undefined) return [];
      return [{ secretName: one.secretName, hosts: one.hosts === undefined ? hosts : textsIn(one.hosts) }];
    });
    return [{ service, namespace: namespaceOf(application), hosts, tls, annotations: mapIn(ingress.annotations) }];
  });
}

/** What is read of a chart's values. Helm checks them against the chart's schema before it renders. */
interface Values {
  image?: unknown;
  replicaCount?: unknown;
  networkPolicy?: { toServices?: unknown } | null;
  ingress?: { enabled?: boolean; hosts?: unknown; tls?: unknown; annotations?: unknown } | null;
}

interface AtHead {
  applications: ServiceApplication[];
  images: Map<string, string>;
  values: Map<string, Values>;
}

const valuesByCheckout = new WeakMap<Checkout, Promise<AtHead>>();

/** Read once for a checkout, however often it is asked for. */
async function atHead(context: ClusterContext): Promise<AtHead> {
  const checkout = await context.checkout();
  const reading = valuesByCheckout.get(checkout) ?? readValues(context, checkout);
  valuesByCheckout.set(checkout, reading);
  return reading;
}

async function readValues({ config, exec }: ClusterContext, { top, prefix, head }: Checkout): Promise<AtHead> {
  const applications = await readServiceApplications({ config, exec });
  const listed = (application: ServiceApplication) =>
    localValueFiles(application, config.environment).map((file) => prefix + file);
  const inChart = ({ spec }: ServiceApplication, file: string) => `${prefix}${spec.source.path}/${file}`;
  // Helm reads the chart's own, whether it is named or not.
  const filesOf = (application: ServiceApplication) => [
    ...new Set([inChart(application, 'values.yaml'), ...listed(application)]),
  ];
  const wanted = applications.flatMap((one) => [...filesOf(one), inChart(one, 'Chart.yaml')]);
  const texts = await filesAt(exec, top, head, wanted);
  const result: AtHead = { applications, images: new Map(), values: new Map() };
  for (const application of applications) {
    const { metadata, spec } = application;
    const { helm, path } = spec.source;
    const at = (file: string) => `${file} at ${shortSha(head)}`;
    const values = filesOf(application)
      .map((file) => valuesIn(at(file), texts.get(file) ?? ''))
      .reduce(mergedValues, {}) as Values;
    const file = `${path}/values.yaml`;
    // A service that was just added, whose Application is read as it lies there. A chart need not have values.
    const isNeeded = listed(application).includes(prefix + file) || !texts.has(inChart(application, 'Chart.yaml'));
    if (!texts.has(prefix + file) && isNeeded) {
      const hint = `Commit ${path}, and what was added with it: only what is committed runs.`;
      throw invalidValues(`${at(file)} names no image.repository: it is not in that commit.`, hint);
    }
    const lacking = listed(application).find((one) => !texts.has(one));
    if (lacking !== undefined && !helm.ignoreMissingValueFiles) {
      const hint = `Commit it, or have the Application ${metadata.name} name no such file, or set ignoreMissingValueFiles.`;
      throw invalidValues(`${at(lacking)} is not in that commit, so Argo CD can't render ${metadata.name}.`, hint);
    }
    result.values.set(metadata.name, values);
    const { image } = values;
    // What a chart written by hand calls an image may be anything.
    if (image !== undefined && mapIn(image) === image) result.images.set(metadata.name, checkedImage(image, at(file)));
  }
  return result;
}

/** As Helm lays values over each other: key by key, a list as a whole, and null takes a key away. */
function mergedValues(below: object, above: object): object {
  const result: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const under = result[key];
    if (value === null) delete result[key];
    else result[key] = isRecord(under) && isRecord(value) ? mergedValues(under, value) : value;
  }
  return result;
}

/** A values file. Read as YAML 1.1, as Helm does, in which more texts are numbers than in today's YAML. */
function valuesIn(at: string, text: string): object {
  let values: unknown;
  try {
    values = parseManifest(text) ?? {};
  } catch (cause) {
    throw invalidYaml(at, cause);
  }
  if (!isRecord(values)) throw invalidValues(`${at} has to be a map of values.`);
  return values;
}

function checkedImage(image: unknown, at: string): string {
  const { repository, tag } = mapIn<{ repository: unknown; tag: unknown }>(image);
  if (typeof repository !== 'string' || repository === '')
    throw invalidValues(`${at} names no image.repository.`, 'Commit a values file that has one.');
  if (typeof tag !== 'string' || tag === '')
    throw invalidValues(
      `${at} has an image.tag that YAML does not read as a text.`,
      'Put the tag into quotes and commit.',
    );
  return `${repository}:${tag}`;
}

/** A warning for edits that Argo CD can't see, since it deploys commits. */
export async function uncommittedNote(context: ClusterContext): Promise<string[]> {
  if (context.config.gitops) return [];
  const { root } = context.config;
  const files = await uncommittedFiles(context.exec, root, ['helm']);
  if (files.length === 0) return [];
  const { top } = await context.checkout();
  const named = files
    .slice(0, 3)
    .map((file) => relative(root, `${top}/${file}`))
    .join(', ');
  return [`Not deployed, because not committed: ${named}${files.length > 3 ? ` and ${files.length - 3} more` : ''}.`];
}
