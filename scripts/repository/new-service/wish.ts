import { join } from 'node:path';
import { UsageError } from '../../lib/errors.ts';
import { refuseTag } from '../image-tag.ts';
import { readValues, type Service } from '../service-files.ts';
import { type Image, imageIn } from '../values-text.ts';

/** The service that a new one is made after: HTTP, inside the cluster, with /health, /info and /metrics. */
export const model = 'core-go';

/** What a new service is to be. */
export interface Wish {
  name: string;
  port: number;
  image: Image;
}

/** Where the registry is, if it is named, and then at least one part behind it; no tag and no digest. */
const repositoryRule = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/;

/**
 * Reads what was typed. What was left out is as it is with the service that is the model: the same registry and owner, and
 * the same tag. Throws a `UsageError` for what can't be.
 */
export async function readWish(
  root: string,
  name: string,
  { port = '8080', image, tag }: { port?: string; image?: string; tag?: string },
): Promise<Wish> {
  const likeIt = await modelImage(root);
  const wanted: Image = { repository: image ?? besides(likeIt.repository, name), tag: tag ?? likeIt.tag };
  if (!repositoryRule.test(wanted.repository))
    throw new UsageError(
      `${JSON.stringify(wanted.repository)} can't be the repository of an image.`,
      `Name it without a tag, as in --image ${besides(likeIt.repository, name)}, and the tag by --tag.`,
    );
  await refuseTag(root, modelService, wanted.tag);
  return { name, port: portOf(port), image: wanted };
}

const modelService: Service = {
  name: model,
  file: `helm/${model}/values.yaml`,
  schema: `helm/${model}/values.schema.json`,
};

async function modelImage(root: string): Promise<Image> {
  const image = imageIn(await readValues(root, modelService));
  if (image) return image;
  throw new UsageError(
    `${modelService.file} names no image, and a new service is made after ${model}.`,
    `git diff ${join('helm', model)} shows what was changed there.`,
  );
}

/** The repository of that name at the same registry and owner. */
function besides(repository: string, name: string): string {
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
