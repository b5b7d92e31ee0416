import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isSeq } from 'yaml';
import { type Change, edit, editYaml, noPlace } from './change.ts';
import type { Wish } from './wish.ts';

const file = 'docs/promote-workflow.yml';

/** The workflow that builds the services' images, with a new one among them. None where somebody took the file away. */
export async function workflowOf(root: string, { name }: Wish): Promise<Change[]> {
  if (!existsSync(join(root, file))) return [];
  const change = await edit(root, file, (text) =>
    editYaml(text, file, (document) => {
      const services = document.getIn(['jobs', 'images', 'strategy', 'matrix', 'service']);
      if (!isSeq(services)) throw noPlace(file, 'matrix of services');
      services.add(name);
    }),
  );
  return [change];
}
