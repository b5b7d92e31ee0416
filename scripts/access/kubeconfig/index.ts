import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import type { Config } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { changeKubeconfig, writableOf } from './file.ts';
import { merged, unmerged } from './merge.ts';

/** Puts the cluster into the person's kubeconfig and remembers that. Hands back the file. Throws a `UserError`. */
export async function merge(context: Context, use: boolean): Promise<{ file: string; changed: boolean }> {
  const { config, kubeconfig: path, kubeContext: name } = context;
  const text = await readFile(path, 'utf8');
  const file = mergedInto(config) ?? writableOf(config.userKubeconfigs);
  // Before, not after: whoever is killed in between can still take it out.
  await writeFile(recordOf(config), `${file}\n`, { mode: 0o600 });
  return { file, changed: await changeKubeconfig(file, (persons) => merged(persons, { path, text, name, use })) };
}

/** Takes it out of the file that `merge` put it into. Hands back the file, or undefined where nothing was in one. Throws a `UserError`. */
export async function unmerge(
  context: Pick<Context, 'config' | 'kubeconfig' | 'kubeContext'>,
): Promise<string | undefined> {
  const { config, kubeconfig, kubeContext } = context;
  const file = mergedInto(config);
  // One that is gone by itself has nothing to be taken out of.
  const changed =
    file !== undefined &&
    existsSync(file) &&
    (await changeKubeconfig(file, (text) => unmerged(text, kubeContext, kubeconfig)));
  await rm(recordOf(config), { force: true });
  return changed ? file : undefined;
}

/** The kubeconfig that the cluster was put into on request. Without one, no kubeconfig of the person's is ever opened. */
export function mergedInto(config: Config): string | undefined {
  try {
    return readFileSync(recordOf(config), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Beside the cluster's folder, not in it, for that is made anew with the cluster. */
function recordOf({ stateDir }: Config): string {
  return `${stateDir}.merged-into`;
}
