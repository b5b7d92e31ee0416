import { realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { ValidateFunction } from 'ajv';
import { UsageError } from '../lib/errors.ts';
import { unknownWord } from '../lib/text.ts';
import { type Place, readRegistrations, readServiceApplications } from './registrations.ts';

/** A service and the file that says which image it runs. */
export interface Service {
  name: string;
  /** Its values file, from the top of this repository's files; where that is a link, the file that it leads to. */
  file: string;
  /** Its chart's schema, likewise. */
  schema: string;
}

/** All services, or the one that is named. Throws a `UsageError` that lists them. */
export async function findServices(place: Place, word: string): Promise<Service[]> {
  const services = (await readServiceApplications(place)).map(({ metadata, spec }) => ({
    name: metadata.name,
    file: withoutLinks(place.config.root, `${spec.source.path}/values.yaml`),
    schema: `${spec.source.path}/values.schema.json`,
  }));
  if (word === 'all') return services;
  const found = services.filter(({ name }) => name === word);
  if (found.length > 0) return found;
  const { applications } = await readRegistrations(place.config.root);
  if (applications.some(({ metadata }) => metadata.name === word))
    throw new UsageError(
      `${word} is an Application, and no service: it does not deploy one chart of this repository, so it has no image to promote.`,
      `npm run status shows it. The services are ${services.map(({ name }) => name).join(', ')}.`,
    );
  throw unknownWord(
    `There is no service "${word}".`,
    word,
    services.map(({ name }) => name),
  );
}

/** A commit changes what a link leads to, and has it in its history. What leads nowhere, or elsewhere, stays as it is. */
function withoutLinks(root: string, file: string): string {
  try {
    const real = relative(realpathSync(root), realpathSync(join(root, file)))
      .split(sep)
      .join('/');
    return real.startsWith('../') ? file : real;
  } catch {
    return file;
  }
}

/** The one service that is named, where all of them at once would make no sense. Throws a `UsageError`. */
export async function findService(place: Place, word: string): Promise<Service> {
  const [service] = word === 'all' ? [] : await findServices(place, word);
  if (!service) throw new UsageError('That goes for one service at a time.', 'Name one of them.');
  return service;
}

/** What a tag may look like where a chart doesn't say so itself (OCI Distribution Specification 1.1, "Pulling manifests"). */
const anyTag = { type: 'string', pattern: '^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$' };

/** Throws a `UsageError` for what the chart's schema takes for no tag: it would be committed, and then not rendered. */
export async function assertTag(root: string, { schema }: Pick<Service, 'schema'>, tag: string): Promise<void> {
  const allows = (await tagRule(join(root, schema))) ?? (await compiledSchema(anyTag));
  if (allows(tag)) return;
  throw new UsageError(
    `${JSON.stringify(tag)} can't be the tag of an image.`,
    'A SHA is letters and digits, as in a1b2c3d: the one that CI pushed the image under.',
  );
}

async function tagRule(file: string): Promise<ValidateFunction | undefined> {
  try {
    const { properties } = JSON.parse(await readFile(file, 'utf8')) as Schema;
    const rule = properties?.image?.properties?.tag;
    return rule && (await compiledSchema(rule));
  } catch {
    // No schema, or a broken one, which helm and npm run validate tell of.
    return undefined;
  }
}

async function compiledSchema(rule: object): Promise<ValidateFunction> {
  const { Ajv } = await import('ajv');
  return new Ajv({ strict: false, logger: false }).compile(rule);
}

interface Schema {
  properties?: { image?: { properties?: { tag?: object } } };
}
