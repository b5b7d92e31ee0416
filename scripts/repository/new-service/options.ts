import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { UsageError } from '../../lib/errors.ts';
import { type ImageValues, imageInValues } from '../image-values.ts';
import { metricsFile, readMetricList } from '../metric-names.ts';
import { readRegistrations } from '../registrations.ts';
import { assertTag, type Service } from '../service-files.ts';
import { readText } from '../text.ts';

/** The service that a new one is made after: HTTP, inside the cluster, with /health, /info and /metrics. */
export const model = 'core-go';

/** What a new service is to be. */
export interface NewService {
  name: string;
  port: number;
  image: ImageValues;
}

/** Where the registry is, if it is named, and then at least one part behind it; no tag and no digest. */
const repositoryRule = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/;

/**
 * Reads what was typed. What was left out is as it is with the service that is the model: the same registry and owner, and
 * the same tag. Throws a `UsageError` for what can't be.
 */
export async function readNewService(
  root: string,
  name: string,
  { port = '8080', image, tag }: { port?: string; image?: string; tag?: string },
): Promise<NewService> {
  const likeIt = await modelImage(root);
  const wanted: ImageValues = {
    repository: image ?? siblingRepository(likeIt.repository, name),
    tag: tag ?? likeIt.tag,
  };
  if (!repositoryRule.test(wanted.repository))
    throw new UsageError(
      `${JSON.stringify(wanted.repository)} can't be the repository of an image.`,
      `Name it without a tag, as in --image ${siblingRepository(likeIt.repository, name)}, and the tag by --tag.`,
    );
  await assertTag(root, modelService, wanted.tag);
  return { name, port: portOf(port), image: wanted };
}

const modelService: Service = {
  name: model,
  file: `helm/${model}/values.yaml`,
  schema: `helm/${model}/values.schema.json`,
};

async function modelImage(root: string): Promise<ImageValues> {
  const image = imageInValues(await readText(root, modelService.file));
  if (image) return image;
  throw new UsageError(
    `${modelService.file} names no image, and a new service is made after ${model}.`,
    `git diff ${join('helm', model)} shows what was changed there.`,
  );
}

/** The repository of that name at the same registry and owner. */
function siblingRepository(repository: string, name: string): string {
  return `${repository.slice(0, repository.lastIndexOf('/') + 1)}${name}`;
}

/** The pods run without root, and the schema of the charts takes no port that only root may open. */
function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1024 && port <= 65535) return port;
  throw new UsageError(
    `${JSON.stringify(text)} can't be the port of a service.`,
    '--port takes a number from 1024 to 65535: pods run without root.',
  );
}

/** A label of DNS (RFC 1035), and no longer than a dashboard's uid, which Grafana limits to 40. */
const nameRule = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** Names that mean something else, and what. */
const taken: Record<string, string> = {
  kubernetes: 'the Service of the API server in the namespace default',
  default: 'the ServiceAccount of the namespace default',
  'localhost-tls': 'the Secret with the certificate of api.localhost',
  common: 'the library chart in helm/',
  project: 'the file of the project in argocd/',
  all: 'the word by which npm run promote means every service',
  argocd: 'the word by which npm run logs means the pods of Argo CD',
  ingress: 'the word by which npm run logs means the pods of the ingress controller',
};

/**
 * Throws a `UsageError` for a name that a new service can't have: it is no name, there is such a service, or it belongs to
 * something else in the cluster or in these commands. `reserved` has what the platform itself uses, with what each name means.
 */
export async function assertServiceName(
  root: string,
  name: string,
  reserved: Readonly<Record<string, string>>,
): Promise<void> {
  if (!nameRule.test(name))
    throw new UsageError(
      `${JSON.stringify(name)} can't be the name of a service.`,
      'Take up to 40 small letters, digits and dashes, with a letter first: objects, files and a dashboard will bear it.',
    );
  const services = (await readRegistrations(root)).applications.map(({ metadata }) => metadata.name);
  if (services.includes(name))
    throw new UsageError(`There is a service ${name} already.`, 'Choose another name; nothing was changed.');
  const meaning = reserved[name] ?? taken[name] ?? (await meaningOf(root, name, services));
  if (meaning !== undefined)
    throw new UsageError(`A service can't be called ${name}: that is ${meaning}.`, 'Choose another name.');
}

async function meaningOf(root: string, name: string, services: readonly string[]): Promise<string | undefined> {
  // Helm reads YAML 1.1, in which these are no texts.
  if (typeof parse(name, { version: '1.1' }) !== 'string') return 'no text to YAML, but a value of its own';
  const asked = services.find((service) => name === `${service}-test` || `${name}-test` === service);
  // A network policy lets the pod of `helm test` in by its name.
  if (asked !== undefined)
    return `too like ${asked}: helm test of a service has a pod of its name with -test behind it`;
  const { list } = readMetricList(await readText(root, metricsFile));
  if (list.has(name)) return `a scrape job in ${metricsFile}`;
  if (existsSync(join(root, `observability/grafana/dashboards/${name}.json`)))
    return "the uid of one of Grafana's dashboards";
  return undefined;
}
