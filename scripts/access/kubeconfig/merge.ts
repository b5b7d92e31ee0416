import { UserError } from '../../lib/errors.ts';
import {
  addEntry,
  type Kubeconfig,
  type KubeconfigText,
  listNames,
  type Named,
  readKubeconfigText,
  removeEntry,
  setCurrentContext,
} from './edit.ts';

/** The name of the extension by which an entry is known as ours, in a place that Kubernetes leaves to programs. */
const extensionName = 'platform-ops';

/** What is remembered in a person's kubeconfig, in the context that we put there. */
interface Mark {
  /** The private kubeconfig that the context was taken from. */
  kubeconfig: string;
  /** The context that was the current one before, where ours took its place. */
  before?: string;
}

export interface Merging {
  /** The private kubeconfig: its path, its text, and the name that cluster, user and context have in it. */
  path: string;
  text: string;
  name: string;
  /** Whether it becomes the current context. */
  use: boolean;
}

/** A person's kubeconfig with the cluster of ours in it, as it is today. Throws a `UserError` for an entry of that name that is not ours. */
export function merged(persons: string, { path, text, name, use }: Merging): string {
  const whole = readKubeconfigText(persons.trim() === '' ? 'apiVersion: v1\nkind: Config\n' : persons);
  const mark = markOf(whole.value, name);
  if (mark === undefined && listNames.some((list) => whole.value[list]?.some((entry) => entry.name === name)))
    throw new UserError(`There is a ${name} in it already that platform-ops did not put there.`, {
      hint: `Rename or delete it (kubectl config delete-context ${name}), or use the private kubeconfig: export KUBECONFIG="${path}"`,
    });
  const current = whole.value['current-context'];
  const before = use && current !== name ? current : mark?.before;
  const ours = readKubeconfigText(text).value;
  let edited = removeAll(whole, name);
  for (const list of listNames) {
    const entry = ours[list]?.find((one) => one.name === name);
    if (!entry) throw new Error(`the private kubeconfig has no ${name} among its ${list}`);
    edited = addEntry(edited, list, list === 'contexts' ? marked(entry, { path, before }) : entry);
  }
  return (use ? setCurrentContext(edited, name) : edited).text;
}

/** A person's kubeconfig without what `merged` put there, or undefined where nothing of it is there. */
export function unmerged(persons: string, name: string, path: string): string | undefined {
  const whole = readKubeconfigText(persons);
  const mark = markOf(whole.value, name);
  if (mark?.kubeconfig !== path) return undefined;
  const edited = removeAll(whole, name);
  if (edited.value['current-context'] !== name) return edited.text;
  const back = edited.value.contexts?.some((context) => context.name === mark.before) ? mark.before : undefined;
  return setCurrentContext(edited, back ?? '').text;
}

function removeAll(whole: KubeconfigText, name: string): KubeconfigText {
  return listNames.reduce((edited, list) => removeEntry(edited, list, name), whole);
}

function marked(entry: Named, { path, before }: { path: string; before: string | undefined }): Named {
  const extension: Mark = { kubeconfig: path, ...(before ? { before } : {}) };
  return { ...entry, context: { ...(entry.context as object), extensions: [{ name: extensionName, extension }] } };
}

function markOf(value: Kubeconfig, name: string): Mark | undefined {
  const context = value.contexts?.find((one) => one.name === name)?.context as
    | { extensions?: { name: string; extension: Mark }[] }
    | undefined;
  return context?.extensions?.find((one) => one.name === extensionName)?.extension;
}
