import { backupOf } from '../access/kubeconfig/file.ts';
import { mergedInto, mergeKubeconfig, unmergeKubeconfig } from '../access/kubeconfig/merge.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { ExitCode, UsageError, UserError } from '../lib/errors.ts';
import type { Command, Invocation } from './command.ts';

export const kubeconfigCommand: Command = {
  description: [
    'Prints where the private kubeconfig is, and how kubectl uses it. --merge adds cluster, user and context to your own',
    'kubeconfig (the first of KUBECONFIG that exists, or ~/.kube/config), with a backup of what it was beside it; your',
    'current context stays the current one unless --use asks for ours. Everything else in the file keeps its bytes. --remove',
    'removes the three again, and so does npm run down. A recreated cluster has other credentials: --merge renews them.',
  ].join('\n'),
  flags: {
    merge: { type: 'boolean', description: "Add the cluster's context to your own kubeconfig." },
    use: { type: 'boolean', description: 'Make it the current context as well.' },
    remove: { type: 'boolean', description: 'Remove it again.' },
    json: { type: 'boolean', description: 'Print as JSON.' },
  },
  examples: [
    'npm run kubeconfig',
    'npm run kubeconfig -- --merge',
    'npm run kubeconfig -- --merge --use',
    'npm run kubeconfig -- --remove',
    'npm run --silent kubeconfig -- --json | jq -r .path',
  ],
  run: runKubeconfig,
};

async function runKubeconfig({ config, flags, signal, print }: Invocation): Promise<ExitCode> {
  if (flags.remove && (flags.merge || flags.use))
    throw new UsageError('kubeconfig takes --merge or --remove, not both.', {
      id: 'flags-exclude',
      hint: 'npm run kubeconfig -- --merge',
    });
  if (flags.merge || flags.use) assertNoTargetContext(config, 'kubeconfig -- --merge', 'your own kubeconfig has it');
  const context = createContext(config, { signal });
  const told = flags.remove ? await remove(context) : await show(context, flags);
  print(flags.json ? JSON.stringify(told.data, undefined, 2) : told.text);
  return ExitCode.done;
}

interface KubeconfigResult {
  data: object;
  text: string;
}

async function show(context: Context, { merge: asked, use }: Invocation['flags']): Promise<KubeconfigResult> {
  await assertCluster(context);
  const { kubeconfig: path, kubeContext, config } = context;
  // Where the file is gone, this says so.
  context.api();
  context.reconnect();
  const data = { path, context: kubeContext, mergedInto: mergedInto(config) ?? null };
  if (!asked && !use) return { data, text: page(path, data.mergedInto, config.target) };
  const { file, changed } = await mergeKubeconfig(context, use === true);
  const backup = changed ? `\nWhat it was before: ${backupOf(file)}` : '';
  const text = [
    `${file} ${changed ? 'has' : 'had'} the context ${kubeContext}${changed ? ' now' : ' already'}.${backup}`,
    use ? 'It is the current context.' : `Your current context is as it was: kubectl --context ${kubeContext} get pods`,
    'npm run kubeconfig -- --remove takes it out again.',
  ];
  return { data: { ...data, mergedInto: file, changed, current: use === true }, text: text.join('\n') };
}

function page(path: string, mergedIn: string | null, target: string | undefined): string {
  return [
    path,
    '',
    `  kubectl --kubeconfig "${path}" get pods`,
    `  export KUBECONFIG="${path}"   # for this shell alone`,
    '',
    mergedIn === null && target !== undefined
      ? `It holds what your own kubeconfig says of the context ${target}, and nothing else of it.`
      : mergedIn === null
        ? 'Your own kubeconfig knows nothing of it: npm run kubeconfig -- --merge adds it.'
        : `It was merged into ${mergedIn}: npm run kubeconfig -- --remove takes it out.`,
  ].join('\n');
}

/** Works without Docker and without the cluster: what is in the user's file must be removed in any case. */
async function remove(context: Context): Promise<KubeconfigResult> {
  const file = await unmergeKubeconfig(context);
  if (file === undefined)
    throw new UserError(`No kubeconfig of yours has the context ${context.kubeContext} from here.`, {
      hint: 'npm run kubeconfig shows what there is.',
    });
  const text = `The context ${context.kubeContext} is out of ${file}.\nWhat it was before: ${backupOf(file)}`;
  return { data: { removedFrom: file, context: context.kubeContext }, text };
}
