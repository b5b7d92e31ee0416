import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { UsageError } from '../../lib/errors.ts';
import { metricsFile, readMetricList } from '../metric-names.ts';
import { readRegistrations } from '../services.ts';

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
export async function refuseName(
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
  const { list } = readMetricList(await readFile(join(root, metricsFile), 'utf8'));
  if (list.has(name)) return `a scrape job in ${metricsFile}`;
  if (existsSync(join(root, `observability/grafana/dashboards/${name}.json`)))
    return "the uid of one of Grafana's dashboards";
  return undefined;
}
