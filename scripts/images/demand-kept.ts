import { UserError } from '../lib/errors.ts';

/**
 * Makes sure that `prefetch` promises nothing that `up` can't find.
 *
 * @param missing the full names of the images that are not in the cache.
 * @throws a `UserError` that names them.
 */
export function demandKept(missing: readonly string[]): void {
  if (missing.length === 0) return;
  throw new UserError(`These images were downloaded, but not kept: ${missing.join(', ')}.`, {
    hint: 'Set IMAGE_CACHE_GB in .env to more gigabytes, and run npm run prefetch again. Until then npm run up downloads them.',
  });
}
