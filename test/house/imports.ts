import { posix } from 'node:path';
import { textOf, trackedFiles } from '../support/tracked-files.ts';

/**
 * The places of scripts/, from the lowest to the highest: each imports only from those below it. `config` is below
 * everything but `lib`. Whatever lies right below scripts/ is a place of its own.
 */
export const places = [
  'lib',
  'config',
  'kubernetes',
  'repository',
  'images',
  'cluster',
  'components',
  'access',
  'delivery',
  'checks',
  'context.ts',
  'commands',
  'cli.ts',
] as const;

export interface Import {
  from: string;
  to: string;
}

/** @returns the place of a file, by its path from the top folder; undefined for one that has none. */
export function placeOf(file: string): (typeof places)[number] | undefined {
  return places.find((place) => place === file.split('/')[1]);
}

/** @returns the program files of scripts/, by their paths from the top folder. */
export function programFiles(): string[] {
  return trackedFiles().filter((file) => /^scripts\/.*\.(ts|mjs)$/.test(file));
}

/** Imports are statements of the module, types included, or calls. */
const importing = /(?:^import\b[^'"`;]*?|^export\b[^'"`;=]*?\bfrom\s+|\bimport\(\s*)['"`](\.{1,2}\/[^'"`]+)['"`]/gm;

/** @returns each import of another file of this repository, in the order of the text. */
export function importsIn(file: string, text: string): Import[] {
  return [...text.matchAll(importing)].flatMap(([, specifier = '']) => {
    const path = posix.join(posix.dirname(file), specifier);
    const [start = '', end] = path.split(/\$\{.*\}/);
    if (end === undefined) return [{ from: file, to: path }];
    // A part that is only known when it runs can be the name of any file there.
    const meant = programFiles().filter((one) => one !== file && one.startsWith(start) && one.endsWith(end));
    return meant.map((to) => ({ from: file, to }));
  });
}

/** @returns those that point up or out of the places, and so make a circle possible. */
export function againstTheDirection(imports: readonly Import[]): Import[] {
  const height = (file: string) => {
    const place = placeOf(file);
    return place === undefined ? Number.POSITIVE_INFINITY : places.indexOf(place);
  };
  return imports.filter(({ from, to }) => height(to) > height(from));
}

/** @returns every import in scripts/. */
export function allImports(): Import[] {
  return programFiles().flatMap((file) => importsIn(file, textOf(file)));
}

/**
 * Files that reach each other by imports, types included, however long the way round is.
 *
 * @returns each such group, sorted; a file that takes part in none is in none.
 */
export function circles(imports: readonly Import[]): string[][] {
  const below = new Map<string, Set<string>>();
  for (const { from, to } of imports) below.set(from, (below.get(from) ?? new Set()).add(to));
  const reached = new Map([...below.keys()].map((file) => [file, reachable(file, below)]));
  const groups = [...reached].flatMap(([file, others]) =>
    others.has(file)
      ? [
          [...others]
            .filter((other) => reached.get(other)?.has(file))
            .sort()
            .join(' '),
        ]
      : [],
  );
  return [...new Set(groups)].sort().map((group) => group.split(' '));
}

function reachable(file: string, below: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const found = new Set<string>();
  const waiting = [...(below.get(file) ?? [])];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    waiting.push(...(below.get(next) ?? []));
  }
  return found;
}
