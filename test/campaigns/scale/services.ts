import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { argocd } from '../../../scripts/config/versions.ts';
import { writeAll } from '../../../scripts/repository/new-service/changes.ts';
import { readNewService } from '../../../scripts/repository/new-service/options.ts';
import { planService } from '../../../scripts/repository/new-service/plan.ts';
import { readRegistrations } from '../../../scripts/repository/registrations.ts';

/**
 * All of them name one image that is in the node anyhow and that no pod of theirs runs: it is neither pulled nor played by a
 * stand-in, of which a hundred would have to be built.
 */
const image = { image: 'quay.io/argoproj/argocd', tag: argocd.version };

/** Adds services to a clone, by what `npm run new-service` does, until it has `count`. */
export async function addServices(root: string, count: number, signal: AbortSignal): Promise<void> {
  for (let number = (await serviceNames(root)).length + 1; number <= count; number += 1) {
    const name = `service-${String(number).padStart(3, '0')}`;
    await writeAll(root, await planService(root, await readNewService(root, name, image)), signal);
  }
}

/**
 * Has the added services want no pods on the laptop: a node has room for a hundred and ten, and it is what grows with services
 * that is measured. An autoscaler would not let it be none, so there is none.
 */
export async function wantNoPods(root: string): Promise<void> {
  for (const name of (await serviceNames(root)).filter((one) => one.startsWith('service-'))) {
    edit(root, name, (document) => {
      document.set('replicaCount', 0);
      document.set('autoscaling', parseDocument('# -- Nothing to scale.\nenabled: false\n').contents);
    });
  }
}

/** Changes a variable of every service, and so its ConfigMap and its pods. */
export async function touchAll(root: string, text: string): Promise<void> {
  for (const name of await serviceNames(root)) edit(root, name, (document) => document.setIn(['env', 'ENV'], text));
}

async function serviceNames(root: string): Promise<string[]> {
  return (await readRegistrations(root)).applications.map(({ metadata }) => metadata.name);
}

function edit(root: string, service: string, change: (document: ReturnType<typeof parseDocument>) => void): void {
  const file = join(root, 'helm', service, 'values-dev.yaml');
  const document = parseDocument(readFileSync(file, 'utf8'));
  change(document);
  writeFileSync(file, document.toString({ lineWidth: 0 }));
}
