import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { UsageError, UserError } from '../../lib/errors.ts';
import { dashboardPath } from '../dashboards/files.ts';
import { type ImageValues, imageInValues } from '../image-values.ts';
import { metricsFile, readMetricList } from '../metric-names.ts';
import { readRegistrations } from '../registrations.ts';
import { assertTag } from '../service-files.ts';
import { readText } from '../text.ts';

/** What a new service is to be. */
export interface NewService {
  name: string;
  /** The service that it is made after: HTTP, with /health, /info and /metrics, and inside the cluster where there is such a one. */
  model: string;
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
  const { model, image: likeIt } = await findModel(root);
  const wanted: ImageValues = {
    repository: image ?? siblingRepository(likeIt.repository, name),
    tag: tag ?? likeIt.tag,
  };
  if (!repositoryRule.test(wanted.repository))
    throw new UsageError(
      `${JSON.stringify(wanted.repository)} can't be the repository of an image.`,
      `Name it without a tag, as in --image ${siblingRepository(likeIt.repository, name)}, and the tag by --tag.`,
    );
  await assertTag(root, { schema: `helm/${model}/values.schema.json` }, wanted.tag);
  return { name, model, port: portOf(port), image: wanted };
}

/**
 * The service to make others after: of those that have all that is copied, the first without an Ingress, or else the first.
 * @throws UserError where none has all of it.
 */
async function findModel(root: string): Promise<{ model: string; image: ImageValues }> {
  const services = (await readRegistrations(root)).applications.map(({ metadata }) => metadata.name);
  const { list } = readMetricList(await readText(root, metricsFile));
  const lacking: string[] = [];
  const fitting: { model: string; image: ImageValues; ingress: boolean }[] = [];
  for (const model of services) {
    const values = `helm/${model}/values.yaml`;
    const files = [`argocd/${model}.yaml`, `helm/${model}/charts/common`, values, dashboardPath(model)];
    const missing = files.find((file) => !existsSync(join(root, file)));
    const text = missing === undefined ? await readText(root, values) : '';
    const image = missing === undefined ? imageInValues(text) : undefined;
    if (missing !== undefined) lacking.push(`${model} has no ${missing}`);
    else if (!list.get(model)?.recorded.includes('http_requests_total'))
      lacking.push(`${model} has no http_requests_total in ${metricsFile}`);
    else if (!image) lacking.push(`${values} names no image`);
    else fitting.push({ model, image, ingress: parse(text)?.ingress?.enabled === true });
  }
  const found = fitting.find(({ ingress }) => !ingress) ?? fitting[0];
  if (found) return found;
  throw new UserError(`No service here can be copied for a new one: ${lacking.join('; ') || 'argocd/ has none'}.`, {
    hint: 'It takes an HTTP service with a chart of the library chart, an Application, metrics and a dashboard. git log shows what was there.',
  });
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
