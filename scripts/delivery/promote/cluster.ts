import { cluster } from '../../cluster/cluster.ts';
import { canPull } from '../../components/pulling.ts';
import { fullImageName } from '../../images/containerd.ts';
import type { Context } from '../../images/context.ts';
import { ensureStubs, removeStubs, stubsAmong } from '../../images/stubs.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { containerImage, isStaying, type Workload } from '../../kubernetes/workloads.ts';
import { UserError } from '../../lib/errors.ts';
import { servicesNamespace } from '../../repository/applications.ts';

/** Why there is no cluster to follow commits, or undefined where there is one. */
export async function whyNoCluster(context: Context): Promise<string | undefined> {
  try {
    const status = await cluster.status(context);
    return status.state === 'ready' ? undefined : status.missing;
  } catch (error) {
    // No Docker, or a cluster of that name that belongs to another checkout: none of ours.
    if (error instanceof UserError) return error.message.replace(/\.$/, '');
    throw error;
  }
}

/** The processors that the cluster's nodes have, as in `amd64`. */
export async function architectures(context: Context): Promise<string[]> {
  const nodes = await context.view().list<KubeObject & { status: Status }>('v1', 'Node');
  return [...new Set(nodes.map(({ status }) => status.nodeInfo.architecture))];
}

interface Status {
  nodeInfo: { architecture: string };
}

/**
 * Has the node know images that are about to run: without a pull secret, stand-ins under their names; with one, no
 * stand-in that would be taken for the real one. Asks the cluster alone. Hands back what was done, in words.
 */
export async function prepareNode(context: Context, images: ReadonlyMap<string, string>): Promise<string[]> {
  if (context.target !== undefined) return [];
  if (!(await canPull(context))) {
    const built = await ensureStubs(context, images);
    return built.map((image) => `${image} is a stand-in, built here for want of a token.`);
  }
  const standIns = await stubsAmong(context, images.values());
  if (standIns.size > 0) await removeStubs(context, standIns);
  return [...standIns].map((image) => `The stand-in for ${image} was taken out of the node.`);
}

/** The images that the ready pods of a service run, those of pods that terminate left out. @returns full names. */
export async function runningImages(context: Context, service: string): Promise<string[]> {
  const deployments = await context.view().list<Workload>('apps/v1', 'Deployment');
  const deployment = deployments.find(
    ({ metadata }) => metadata.name === service && metadata.namespace === servicesNamespace,
  );
  const pods = deployment ? await context.view().podsOf(deployment) : [];
  const images = pods.filter(isStaying).flatMap(({ spec }) => containerImage(spec, service) ?? []);
  return [...new Set(images.map(fullImageName))];
}
