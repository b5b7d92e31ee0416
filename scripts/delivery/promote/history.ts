import type { Context } from '../../images/context.ts';
import { ghcrHost } from '../../images/credentials/token-check.ts';
import { parseImage, readImage } from '../../images/registry.ts';
import { fullImageName } from '../../lib/docker/images.ts';
import { UserError } from '../../lib/errors.ts';
import { gitIn } from '../../lib/git/run.ts';
import { Unanswered } from '../../lib/http/fetch.ts';
import { holdSentence, holdsIn } from '../../repository/hold.ts';
import type { ImageValues } from '../../repository/image-values.ts';
import type { Service } from '../../repository/service-files.ts';
import { readText } from '../../repository/text.ts';
import { type ImageChange, readImageChanges, shallowNote } from './changes.ts';
import { accountFor, noClusterReason, registryAs, runningImages } from './images.ts';

/** A line of the history, as `--json` prints it. */
export interface HistoryLine {
  commit: string;
  /** ISO 8601. */
  date: string;
  author: string;
  kind: ImageChange['kind'];
  subject: string;
  image: string;
  tag: string;
  /** When the image was built, as ISO 8601; null where the registry can't be asked or doesn't know. */
  built: string | null;
  /** Whether ready pods run this image now; null where no cluster can be asked. Of one that came twice, the newest. */
  runs: boolean | null;
}

export interface History {
  service: string;
  file: string;
  /** Newest first. */
  entries: HistoryLine[];
  /** A sentence each. */
  holds: string[];
  notes: string[];
}

/** How many images the registry is asked for, newest first: three requests each. */
const maxImages = 30;

/** Everything that changed the image of a service, from Git, with what registry and cluster can add. Throws a `UserError`. */
export async function readHistory(context: Context, service: Service): Promise<History> {
  const { config, exec } = context;
  const { top, prefix, shallow } = await context.checkout();
  const changes = (await readImageChanges(gitIn(exec, top, 'reading'), 'HEAD', `${prefix}${service.file}`)).reverse();
  const notes = shallow ? [shallowNote] : [];
  const [built, running] = await Promise.all([
    builtAt(context, [...new Set(changes.map(({ image }) => imageName(image)))].slice(0, maxImages), notes),
    runningNow(context, service, notes),
  ]);
  const seen = new Set<string>();
  const entries = changes.map(({ commit, date, author, kind, subject, image }): HistoryLine => {
    const name = imageName(image);
    const isNewest = !seen.has(name);
    seen.add(name);
    return {
      commit,
      date,
      author,
      kind,
      subject,
      image: name,
      tag: image.tag,
      built: built.get(name)?.toISOString() ?? null,
      runs: running && isNewest && running.includes(fullImageName(name)),
    };
  });
  const holds = holdsIn(await readText(config.root, service.file)).map(holdSentence);
  return { service: service.name, file: service.file, entries, holds, notes };
}

function imageName({ repository, tag }: ImageValues): string {
  return `${repository}:${tag}`;
}

async function runningNow(context: Context, service: Service, notes: string[]): Promise<string[] | null> {
  const missing = await noClusterReason(context);
  if (missing === undefined) return runningImages(context, service.name);
  notes.push(`What runs is not known: ${missing}.`);
  return null;
}

/** When images were built, as far as the registry tells. A registry that is silent once is not asked again. */
async function builtAt(context: Context, images: readonly string[], notes: string[]): Promise<Map<string, Date>> {
  const built = new Map<string, Date>();
  try {
    const { account } = await accountFor(context, images.slice(0, 1));
    if (!account) return built;
    const client = registryAs(account, context);
    for (const image of images) {
      const name = parseImage(image);
      if (name.registry !== ghcrHost) continue;
      const found = await readImage(client, name.repository, name.reference);
      if (found.state === 'found' && found.facts.created) built.set(image, found.facts.created);
    }
  } catch (error) {
    if (!(error instanceof Unanswered) && !(error instanceof UserError)) throw error;
    notes.push(`The images' age is not known: ${error.message.replace(/\.$/, '')}.`);
  }
  return built;
}
