import { type Change, edit, noPlace } from './change.ts';
import type { Wish } from './wish.ts';

const file = 'standins/server.mjs';
/** The services that it can play, with the line that ends them. */
const list = /^const services = \{\n(?:.*\n)*?(?=\};$)/m;

/** The stand-in with a part for a new service, so that `up` works before there is an image, or a token for it. */
export function standInOf(root: string, { name, port }: Wish): Promise<Change> {
  return edit(root, file, (text) => {
    if (!list.test(text) || !text.includes('const httpService =')) throw noPlace(file, 'list of services to add to');
    // As the formatter would have it: quotes where the name needs them.
    const key = /^[a-z0-9]+$/.test(name) ? name : `'${name}'`;
    return text.replace(list, (found) => `${found}  ${key}: httpService('${name}', ${port}),\n`);
  });
}
