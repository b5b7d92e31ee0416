import { setMaxListeners } from 'node:events';
import { assertMachineReady } from '../checks/doctor/preflight.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { componentsFor } from '../components/index.ts';
import { createContext } from '../context.ts';
import { demandKept } from '../images/cache.ts';
import { withContainerd } from '../images/containerd.ts';
import type { Context } from '../images/context.ts';
import { megabytes } from '../images/keep-images.ts';
import { ExitCode } from '../lib/errors.ts';
import { assertNoFailures, runGraph } from '../lib/tasks.ts';
import { createProgress, type Progress, timed } from '../lib/terminal/progress.ts';
import { counted } from '../lib/text.ts';
import { type Command, checkFlags, contextOptions, type Invocation } from './command.ts';

export const prefetchCommand: Command = {
  description: [
    'Fetches the tools, the node image, the manifests and every image that these settings ask for, and builds the',
    'stand-ins. Afterwards npm run up works without a network. It creates no cluster: the images are pulled in a',
    'container of the node image, which is gone at the end. It skips what you have already. The images of the services',
    'themselves are pulled by each cluster with its own token, so without a network there are the stand-ins',
    '(GHCR_CREDENTIALS=none).',
  ].join('\n'),
  flags: {
    timeout: { type: 'seconds', description: 'How long a single download may take (default: 300).' },
    json: { type: 'boolean', description: 'Print what was fetched as JSON on standard output.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    ...checkFlags,
  },
  examples: ['npm run prefetch', 'ALERTMANAGER=true npm run prefetch', 'npm run prefetch -- --timeout 1800'],
  run: runPrefetch,
};

async function runPrefetch(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, print, progressStream } = invocation;
  assertNoTargetContext(config, 'prefetch', 'its nodes pull their images by themselves');
  const progress = await createProgress(progressStream);
  setMaxListeners(0, invocation.signal);
  const context = createContext(config, contextOptions(invocation, progress.note));
  try {
    for (const warning of await assertMachineReady(context)) progress.note(`! ${warning}`);
    await timed(progress, 'tools', () => Promise.all((['kind', 'kubectl'] as const).map(context.toolbox.find)));
    await timed(progress, 'node image', () => context.images.pull(config.nodeImage));
    const kept = await withContainerd(context, (container) => fetchAll(context, container, progress));
    progress.stop();
    demandKept(kept.missing);
    if (flags.json) print(JSON.stringify({ images: kept.images, bytes: kept.bytes }, undefined, 2));
    else print(`Everything is here, ${kept.sentence}. npm run up works without a network now.`);
    return ExitCode.done;
  } finally {
    progress.stop();
  }
}

/** What each component fetches, with a container in the node's place. */
async function fetchAll(context: Context, container: string, progress: Progress) {
  const images = context.imagesToKeep(container);
  const away: Context = { ...context, images };
  const tasks = componentsFor(context.config).flatMap(({ name, prefetch }) =>
    prefetch ? [{ name, needs: [], run: async () => void (await timed(progress, name, () => prefetch(away))) }] : [],
  );
  assertNoFailures(await runGraph(tasks));
  const kept = await timed(progress, 'images', () => images.keep());
  const count = kept.images.length;
  const sentence = count === 0 ? 'and was before' : `${counted(count, 'image')} more, ${megabytes(kept.bytes)}`;
  return { ...kept, sentence };
}
