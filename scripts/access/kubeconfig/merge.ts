import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import type { Config } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import type { CleanupItem } from '../../lib/cleanup.ts';
import { UserError } from '../../lib/errors.ts';
import { readFileOrPipe, writeWhole } from '../../lib/files.ts';
import {
  addEntry,
  type Kubeconfig,
  type KubeconfigEntry,
  type KubeconfigText,
  listNames,
  readKubeconfigText,
  removeEntry,
  setCurrentContext,
} from './edit.ts';
import { changeKubeconfig, writableOf } from './file.ts';

/** The name of the extension by which an entry is known as ours, in a place that Kubernetes leaves to programs. */
const extensionName = 'platform-ops';

/** What is remembered in the user's kubeconfig, in the context that we put there. */
interface Mark {
  /** The private kubeconfig that the context was taken from. */
  kubeconfig: string;
  /** The context that was the current one before, where ours took its place. */
  before?: string;
}

interface MergeOptions {
  /** The private kubeconfig: its path, its text, and the name that cluster, user and context have in it. */
  path: string;
  text: string;
  name: string;
  /** Whether it becomes the current context. */
  use: boolean;
}

/** The user's kubeconfig with the cluster of ours in it, as it is today. Throws a `UserError` for an entry of that name that is not ours. */
export function withCluster(theirs: string, { path, text, name, use }: MergeOptions): string {
  const whole = readKubeconfigText(theirs.trim() === '' ? 'apiVersion: v1\nkind: Config\n' : theirs);
  const mark = markOf(whole.value, name);
  if (mark === undefined && listNames.some((list) => whole.value[list]?.some((entry) => entry.name === name)))
    throw new UserError(`There is a ${name} in it already that platform-ops did not put there.`, {
      hint: `Rename or delete it (kubectl config delete-context ${name}), or use the private kubeconfig: export KUBECONFIG="${path}"`,
    });
  const current = whole.value['current-context'];
  const before = use && current !== name ? current : mark?.before;
  const ours = readKubeconfigText(text).value;
  let edited = withoutEntries(whole, name);
  for (const list of listNames) {
    const entry = ours[list]?.find((one) => one.name === name);
    if (!entry) throw new Error(`the private kubeconfig has no ${name} among its ${list}`);
    edited = addEntry(edited, list, list === 'contexts' ? marked(entry, { path, before }) : entry);
  }
  return (use ? setCurrentContext(edited, name) : edited).text;
}

/** The user's kubeconfig without what `merged` put there, or undefined where nothing of it is there. */
export function withoutCluster(theirs: string, name: string, path: string): string | undefined {
  const whole = readKubeconfigText(theirs);
  const mark = markOf(whole.value, name);
  if (mark?.kubeconfig !== path) return undefined;
  const edited = withoutEntries(whole, name);
  if (edited.value['current-context'] !== name) return edited.text;
  const back = edited.value.contexts?.some((context) => context.name === mark.before) ? mark.before : undefined;
  return setCurrentContext(edited, back ?? '').text;
}

function withoutEntries(whole: KubeconfigText, name: string): KubeconfigText {
  return listNames.reduce((edited, list) => removeEntry(edited, list, name), whole);
}

function marked(
  entry: KubeconfigEntry,
  { path, before }: { path: string; before: string | undefined },
): KubeconfigEntry {
  const extension: Mark = { kubeconfig: path, ...(before ? { before } : {}) };
  return { ...entry, context: { ...(entry.context as object), extensions: [{ name: extensionName, extension }] } };
}

function markOf(value: Kubeconfig, name: string): Mark | undefined {
  const context = value.contexts?.find((one) => one.name === name)?.context as
    | { extensions?: { name: string; extension: Mark }[] }
    | undefined;
  return context?.extensions?.find((one) => one.name === extensionName)?.extension;
}

/** Puts the cluster into the user's kubeconfig and remembers that. Returns the file. Throws a `UserError`. */
export async function mergeKubeconfig(context: Context, use: boolean): Promise<{ file: string; changed: boolean }> {
  const { config, kubeconfig: path, kubeContext: name } = context;
  const text = await readFile(path, 'utf8');
  const file = mergedInto(config) ?? writableOf(config.userKubeconfigs);
  // Before, not after: if this is killed in between, it can still be taken out.
  writeWhole(recordOf(config), `${file}\n`, { ownerOnly: true });
  return { file, changed: await changeKubeconfig(file, (theirs) => withCluster(theirs, { path, text, name, use })) };
}

/** Takes it out of the file that `merge` put it into. Returns the file, or undefined where nothing was in one. Throws a `UserError`. */
export async function unmergeKubeconfig(
  context: Pick<Context, 'config' | 'kubeconfig' | 'kubeContext'>,
): Promise<string | undefined> {
  const { config, kubeconfig, kubeContext } = context;
  const file = mergedInto(config);
  // One that is gone by itself has nothing to be taken out of.
  const changed =
    file !== undefined &&
    existsSync(file) &&
    (await changeKubeconfig(file, (text) => withoutCluster(text, kubeContext, kubeconfig)));
  await rm(recordOf(config), { force: true });
  return changed ? file : undefined;
}

/** The cluster's context in the user's own kubeconfig, where `npm run kubeconfig -- --merge` put it. */
export function mergedContextItems(context: Context): CleanupItem[] {
  const { config, kubeContext, kubeconfig } = context;
  const file = mergedInto(config);
  if (file === undefined) return [];
  const isThere = async () =>
    existsSync(file) && withoutCluster(readFileSync(file, 'utf8'), kubeContext, kubeconfig) !== undefined;
  const remove = async () => void (await unmergeKubeconfig(context));
  return [{ kind: 'file', name: `context ${kubeContext} in ${file}`, remove, isThere }];
}

/** The kubeconfig that the cluster was put into on request. Without one, no kubeconfig of the user's is ever opened. */
export function mergedInto(config: Config): string | undefined {
  return readFileOrPipe(recordOf(config))?.trim() || undefined;
}

/** Beside the cluster's folder, not in it, for that is recreated with the cluster. */
function recordOf({ stateDir }: Config): string {
  return `${stateDir}.merged-into`;
}
