import { isDeepStrictEqual } from 'node:util';
import { createTwoFilesPatch, OMIT_HEADERS } from 'diff';
import { type KubeObject, toReadableYaml } from '../lib/objects.ts';

/** As many lines of context as git shows, and no names of files, of which there are none. */
const options = { context: 3, headerOptions: OMIT_HEADERS };

/** The differences of two objects' YAML in unified form, undefined being no object; empty where there are none. */
export function unifiedDiff(before: KubeObject | undefined, after: KubeObject | undefined): string {
  if (isDeepStrictEqual(before, after)) return '';
  const text = (object: KubeObject | undefined) => (object === undefined ? '' : toReadableYaml(object));
  return createTwoFilesPatch('', '', text(before), text(after), undefined, undefined, options).trimEnd();
}
