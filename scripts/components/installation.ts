import type { ApplyResult, Component, Status } from '../cluster/component.ts';
import { wasApplied } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import { podsOfWorkloads } from '../kubernetes/api/view.ts';
import { nodeContainer } from '../kubernetes/explain/runtime.ts';
import { identityOf, type KubeObject } from '../kubernetes/objects.ts';
import type { ContainerStatus, Pod } from '../kubernetes/types.ts';
import { startDeleting } from '../kubernetes/waiting/deletion.ts';
import { waitForReady } from '../kubernetes/waiting/ready.ts';
import { workloadKinds } from '../kubernetes/workloads.ts';
import { UserError } from '../lib/errors.ts';
import { imagesOf, memoizePerContext } from '../repository/manifests.ts';
import { unreadable } from '../repository/text.ts';
import { waitForTermination } from './removal.ts';

/** A component that consists of Kubernetes objects: data, not code of its own. */
export interface ComponentSpec {
  name: string;
  needs: readonly string[];
  objects(context: Context): Promise<KubeObject[]>;
  /** What `up` applies besides, as the Secrets that `prepare` makes. One of that name that it did not apply is somebody's. */
  made?: readonly KubeObject[];
  /** What its own programs make, by name. */
  grown?: readonly KubeObject[];
  /** To be done before the objects are applied: returns what it changed. */
  prepare?(context: Context): Promise<string[]>;
  /** The same, for what only `apply` can afford to ask. */
  unproved?(context: Context): Promise<string | undefined>;
  /** Tried while something is missing, for what doesn't mend itself. Called often. */
  mend?(context: Context): Promise<void>;
  /** What is still missing once the objects are rolled out, or undefined: whether it answers, say. */
  missing?(context: Context): Promise<string | undefined>;
  /** A few words for the list, once it is ready. */
  detail?(context: Context): string | undefined;
}

/** Makes a component of an installation. */
export function install(installation: ComponentSpec): Component {
  const { name, needs, prepare, missing, unproved, mend, detail } = installation;
  const objects = memoizePerContext(async (context: Context) => {
    try {
      const all = await installation.objects(context);
      // Asked for again when it is applied; what is wrong with a workload shows here.
      imagesOf(all);
      return all;
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause;
      throw unreadable(`A manifest of ${name} is not what it has to be: ${cause.message}.`, undefined, cause);
    }
  });
  const { made = [], grown = [] } = installation;
  const belongings = async (context: Context) => [...(await objectsIfReadable(objects(context))), ...made, ...grown];

  const lookFor = async (context: Context) => {
    const lacking = await context.view().missing(await objects(context));
    return lacking ?? (await missing?.(context));
  };

  return {
    name,
    needs,
    read: objects,
    prefetch: async (context) => context.images.ensure(imagesOf(await objects(context))),

    async status(context): Promise<Status> {
      const all = await objects(context);
      const lacking = await lookFor(context);
      if (lacking === undefined) return { state: 'ready', detail: detail?.(context) };
      return { state: lacking.endsWith('is missing') && all.length > 0 ? 'absent' : 'unready', missing: lacking };
    },

    async apply(context): Promise<ApplyResult> {
      const all = await objects(context);
      const [imported] = await Promise.all([context.images.ensure(imagesOf(all)), waitForTermination(context, all)]);
      const prepared = (await prepare?.(context)) ?? [];
      const kubectl = await context.kubectl();
      const changed = await kubectl.apply(await changedObjects(context, all));
      if (changed.length > 0) context.view().forget();
      // All of it was applied a moment ago. The whole is looked at again once the workloads are there: while they start, asking
      // for all kinds every time would take the API server's time from them.
      const workloads = all.filter(({ kind }) => workloadKinds.has(kind));
      const look = async () => {
        const lacking =
          (await context.view().missing(workloads)) ?? (await lookFor(context)) ?? (await unproved?.(context));
        if (lacking === undefined) return undefined;
        await replaceCrashedPods(context, workloads);
        await mend?.(context);
        return lacking;
      };
      await waitForReady(context, { objects: () => all, look });
      const images = imported.map((image) => `image ${image}`);
      return { changed: [...images, ...prepared, ...changed], detail: detail?.(context) };
    },

    objects: async (context) => changedObjects(context, await objects(context)),

    async owns(context) {
      const names = new Set((await belongings(context)).map(identityOf));
      const applied = new Set(made.map(identityOf));
      return (object) => names.has(identityOf(object)) && (!applied.has(identityOf(object)) || wasApplied(object));
    },
  };
}

/**
 * A manifest that can't be had, because it would have to be downloaded, is no reason to leave things in the cluster: what
 * was applied is known by its field manager as well.
 */
async function objectsIfReadable(objects: Promise<KubeObject[]>): Promise<KubeObject[]> {
  try {
    return await objects;
  } catch (error) {
    if (error instanceof UserError) return [];
    throw error;
  }
}

/** Marks an object with a hash of its content, which tells whether the cluster has this very one. */
export const contentAnnotation = 'platform-ops/content';

/**
 * The objects that have to be applied: all but those whose whole content the cluster is known to have. Applying the others
 * again costs little and puts right what somebody edited.
 */
async function changedObjects(context: Context, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  const contentOf = ({ metadata }: KubeObject) => metadata.annotations?.[contentAnnotation];
  const long = objects.filter((object) => contentOf(object) !== undefined);
  const [sample] = long;
  if (!sample) return [...objects];
  const present = await context.api().listMetadata(sample.apiVersion, sample.kind);
  const known = new Map(present.map((object) => [object.metadata.name, contentOf(object)]));
  return objects.filter((object) => !long.includes(object) || known.get(object.metadata.name) !== contentOf(object));
}

/** Milliseconds after the node's start in which a program may die of what is not there yet: the way to the API server. */
const earlyMs = 30_000;

const nodeStart = memoizePerContext(async (context) => (await nodeContainer(context))?.startedAt ?? Number.NaN);

/**
 * Replaces the pods of workloads in which a container died right after the node was started. When a node wakes, all its pods
 * start at once, some before kube-proxy, without which they find no API server; they end, and the kubelet lets them wait ten
 * seconds and more before the next try. A new pod need not wait. Throws a `UserError`.
 */
export async function replaceCrashedPods(context: Context, objects: readonly KubeObject[]): Promise<void> {
  // Of another's node it is not known when it started.
  if (context.target !== undefined) return;
  const replaced = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
  const pods = (await podsOfWorkloads(context, replaced)).flat();
  const waiting = pods.filter((pod) => crashTimes(pod).length > 0);
  if (waiting.length === 0) return;
  const started = await nodeStart(context);
  // Kubernetes tells whole seconds.
  const isEarly = (death: number) => death >= started - 1000 && death < started + earlyMs;
  const dead = waiting.filter((pod) => crashTimes(pod).every(isEarly));
  await startDeleting(
    context,
    dead.map(({ metadata }) => ({ apiVersion: 'v1', kind: 'Pod', metadata })),
    '--grace-period=1',
  );
}

/** When those containers of a pod died that wait for their next try, in milliseconds since 1970. */
function crashTimes({ status }: Pod): number[] {
  const all: ContainerStatus[] = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  return all
    .filter(({ state }) => state.waiting?.reason === 'CrashLoopBackOff')
    .map(({ lastState }) => Date.parse(lastState?.terminated?.finishedAt ?? ''));
}
