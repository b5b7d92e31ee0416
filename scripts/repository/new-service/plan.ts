import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../lib/errors.ts';
import { readRegistrations } from '../services.ts';
import { alertOf } from './alert.ts';
import { applicationOf } from './application.ts';
import type { Change } from './change.ts';
import { chartOf } from './chart.ts';
import { dashboardOf } from './dashboard.ts';
import { metricsOf } from './metrics.ts';
import { standInOf } from './stand-in.ts';
import type { Wish } from './wish.ts';
import { workflowOf } from './workflow.ts';

/**
 * All that a new service needs, by file; nothing is written yet. Throws a `UsageError` where one of the new files is there,
 * and a `UserError` where a file that has to be edited is not as it has to be.
 */
export async function planService(root: string, wish: Wish): Promise<Change[]> {
  const services = (await readRegistrations(root)).applications.map(({ metadata }) => metadata.name);
  const folder = `helm/${wish.name}`;
  if (isThere(root, folder)) throw alreadyThere(folder);
  const changes = [
    ...(await chartOf(root, wish)),
    await applicationOf(root, wish),
    await metricsOf(root, wish, services),
    ...(await alertOf(root, wish)),
    ...(await dashboardOf(root, wish)),
    await standInOf(root, wish),
    ...(await workflowOf(root, wish)),
  ];
  const there = changes.find(({ file, before }) => before === undefined && isThere(root, file));
  if (there) throw alreadyThere(there.file);
  return changes.toSorted((one, other) => (one.file < other.file ? -1 : 1));
}

/** Also a link that leads nowhere. */
function isThere(root: string, file: string): boolean {
  return lstatSync(join(root, file), { throwIfNoEntry: false }) !== undefined;
}

function alreadyThere(file: string): UsageError {
  return new UsageError(
    `${file} is there already, and nothing is overwritten.`,
    'Choose another name, or take away what is left of an earlier service.',
  );
}
