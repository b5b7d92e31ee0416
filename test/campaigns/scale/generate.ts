// Run in the clone, as the person whose it is: services COUNT, no-pods, or touch TEXT.
import { addServices, touchAll, wantNoPods } from './services.ts';

const [what, value = ''] = process.argv.slice(2);
const root = process.cwd();
if (what === 'services') await addServices(root, Number(value), new AbortController().signal);
else if (what === 'no-pods') await wantNoPods(root);
else await touchAll(root, value);
