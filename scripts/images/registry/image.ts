import type { Kept, Registry } from './registry.ts';

/** What a registry tells of an image without pulling it. */
export interface ImageFacts {
  /** Operating system and architecture of each variant, as in `linux/amd64`. */
  platforms: string[];
  /** When it was built, if it says so. */
  created: Date | undefined;
}

/** A manifest or an index of manifests (OCI Image Specification 1.1, and Docker's forms of both). */
interface Manifest {
  manifests?: { digest: string; platform?: Partial<Platform> }[];
  config?: { digest: string };
}

interface Platform {
  os: string;
  architecture: string;
}

/**
 * Reads what an image is made for and when: of an index, the variant for one of these architectures, or else the first.
 * Throws `Unanswered` or `Interrupted`.
 */
export async function readImage(
  registry: Registry,
  repository: string,
  reference: string,
  architectures: readonly string[] = [],
): Promise<{ state: 'found'; facts: ImageFacts } | Exclude<Kept, { state: 'found' }>> {
  const first = await registry.fetch(repository, 'manifests', reference);
  if (first.state !== 'found') return first;
  const top = parsed<Manifest>(first.body);
  // What stands beside the variants, such as attestations, is for no platform at all.
  const variants = (top.manifests ?? []).filter(({ platform }) => platform?.os && platform.os !== 'unknown');
  const variant = variants.find(({ platform }) => architectures.includes(platform?.architecture ?? '')) ?? variants[0];
  const chosen = variant ? await registry.fetch(repository, 'manifests', variant.digest) : first;
  if (chosen.state !== 'found') return chosen;
  const { config } = parsed<Manifest>(chosen.body);
  const about = config && (await registry.fetch(repository, 'blobs', config.digest));
  const described = about?.state === 'found' ? parsed<Partial<Platform> & { created?: string }>(about.body) : {};
  const platforms = variants.length > 0 ? variants.map(({ platform }) => platform ?? {}) : [described];
  return {
    state: 'found',
    facts: {
      platforms: [...new Set(platforms.flatMap((one) => (one.os && one.architecture ? [nameOf(one)] : [])))],
      created: dateIn(described.created),
    },
  };
}

function nameOf({ os, architecture }: Partial<Platform>): string {
  return `${os}/${architecture}`;
}

function parsed<T extends object>(text: string): Partial<T> {
  try {
    return (JSON.parse(text) as T | null) ?? {};
  } catch {
    return {};
  }
}

/** Builds that shall come out the same each time are dated to 1970 or 1980, which says nothing. */
function dateIn(text: string | undefined): Date | undefined {
  const date = new Date(text ?? '');
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() < 2000 ? undefined : date;
}
