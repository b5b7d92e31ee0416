import { isDeepStrictEqual } from 'node:util';
import { type KubeObject, toReadableYaml } from '../../kubernetes/objects.ts';

/** The differences of two objects' YAML in unified form, undefined being no object; empty where there are none. */
export async function unifiedDiff(before: KubeObject | undefined, after: KubeObject | undefined): Promise<string> {
  if (isDeepStrictEqual(before, after)) return '';
  // Loaded where something differs, which most objects don't.
  const { createTwoFilesPatch, OMIT_HEADERS } = await import('diff');
  // As many lines of context as git shows, and no names of files, of which there are none.
  const options = { context: 3, headerOptions: OMIT_HEADERS };
  const text = (object: KubeObject | undefined) => (object === undefined ? '' : toReadableYaml(object));
  return createTwoFilesPatch('', '', text(before), text(after), undefined, undefined, options).trimEnd();
}
