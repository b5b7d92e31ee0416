import { type Change, renamed, textOf } from './change.ts';
import { model, type Wish } from './wish.ts';

/** The Application of a new service: that of the model under another name, with a first line of its own. */
export async function applicationOf(root: string, { name }: Wish): Promise<Change> {
  const text = renamed(await textOf(root, `argocd/${model}.yaml`), model, name);
  const after = text.replace(new RegExp(`^# ${name}: .*`), `# ${name}: an HTTP service inside the cluster.`);
  return { file: `argocd/${name}.yaml`, after };
}
