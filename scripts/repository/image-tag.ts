import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { UsageError } from '../lib/errors.ts';
import type { Service } from './service-files.ts';

/** What a tag may look like where a chart doesn't say so itself (OCI Distribution Specification 1.1, "Pulling manifests"). */
const anyTag = { type: 'string', pattern: '^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$' };

/** Throws a `UsageError` for what the chart's schema takes for no tag: it would be committed, and then not rendered. */
export async function refuseTag(root: string, { schema }: Pick<Service, 'schema'>, tag: string): Promise<void> {
  const allows = (await tagRule(join(root, schema))) ?? compiled(anyTag);
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
    return rule && compiled(rule);
  } catch {
    // No schema, or a broken one, which helm and npm run validate tell of.
    return undefined;
  }
}

function compiled(rule: object): ValidateFunction {
  return new Ajv({ strict: false, logger: false }).compile(rule);
}

interface Schema {
  properties?: { image?: { properties?: { tag?: object } } };
}
