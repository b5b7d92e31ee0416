import type { Context } from '../context.ts';
import { fullName } from '../images.ts';
import type { KubeObject } from '../lib/objects.ts';
import type { Pod } from '../lib/workloads.ts';
import { servicesNamespace } from '../services.ts';
import { buildStandIns, ensureStandIns, removeStandIns, standInsAmong } from '../standins.ts';
import { imagesAtHead } from '../values.ts';
import type { Component } from './component.ts';

const registry = 'ghcr.io';
/** The charts' pods name this pull secret. */
const pullSecret = 'ghcr-cred';

/**
 * Where the services' images come from: with an account, from GHCR through a pull secret; without one, stand-ins that
 * are built here and put into the node under the images' names.
 */
export const serviceImages: Component = {
  name: 'service-images',
  needs: ['cluster'],
  async prefetch(context) {
    if (context.config.github) return;
    // Built, but not put into the node yet: that would take the disk from the control plane, which boots at the same time.
    await buildStandIns(context, await imagesAtHead(context));
  },

  async status(context) {
    const images = await imagesAtHead(context);
    if (context.config.github) {
      const missing = await context.view().missing([pullSecretObject()]);
      return missing === undefined
        ? { state: 'ready', detail: `from ${registry}, as ${context.config.github.username}` }
        : { state: 'absent', missing };
    }
    const present = await context.images.inNode();
    const [missing] = [...images.values()].filter((image) => !present.has(fullName(image)));
    return missing === undefined
      ? { state: 'ready', detail: await standInDetail(context, images) }
      : { state: 'absent', missing: `the node has no image ${missing}, nor a stand-in for it` };
  },

  async apply(context) {
    const images = await imagesAtHead(context);
    if (!context.config.github) {
      const built = await ensureStandIns(context, images);
      return { changed: built.map((image) => `stand-in for ${image}`), detail: await standInDetail(context, images) };
    }
    const changed = [
      ...(await configurePulling(context, context.config.github)),
      ...(await replaceStandIns(context, images)),
    ];
    return { changed, detail: `from ${registry}, as ${context.config.github.username}` };
  },
};

async function standInDetail(context: Context, images: ReadonlyMap<string, string>): Promise<string> {
  const standIns = await standInsAmong(context, images.values());
  return standIns.size === 0
    ? 'all in the node'
    : `${standIns.size === images.size ? 'all' : standIns.size} stand-ins, not the real services (no GITHUB_TOKEN)`;
}

function pullSecretObject(dockerconfigjson?: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: pullSecret, namespace: servicesNamespace },
    type: 'kubernetes.io/dockerconfigjson',
    ...(dockerconfigjson !== undefined && { data: { '.dockerconfigjson': dockerconfigjson } }),
  };
}

/** The secret goes to kubectl on standard input. The default ServiceAccount gets it too, for pods that don't name it. */
async function configurePulling(
  context: Context,
  { username, token }: NonNullable<Context['config']['github']>,
): Promise<string[]> {
  const auth = Buffer.from(`${username}:${token.reveal()}`).toString('base64');
  const config = Buffer.from(JSON.stringify({ auths: { [registry]: { auth } } })).toString('base64');
  const account: KubeObject = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace: servicesNamespace },
    imagePullSecrets: [{ name: pullSecret }],
  };
  const kubectl = await context.kubectl();
  return kubectl.apply([pullSecretObject(config), account]);
}

/** The node keeps an image that it has, so stand-ins have to go first, and then the pods that run them. */
async function replaceStandIns(context: Context, images: ReadonlyMap<string, string>): Promise<string[]> {
  const standIns = await standInsAmong(context, images.values());
  if (standIns.size === 0) return [];
  await removeStandIns(context, standIns);
  const pods = (await context.api().list<Pod>('v1', 'Pod', servicesNamespace)).filter(({ spec }) =>
    spec.containers.some(({ image }) => standIns.has(image)),
  );
  if (pods.length > 0) {
    const kubectl = await context.kubectl();
    const names = pods.map(({ metadata }) => metadata.name);
    await kubectl.run([
      'delete',
      'pods',
      '--namespace',
      servicesNamespace,
      '--wait=false',
      '--ignore-not-found',
      ...names,
    ]);
  }
  return [...standIns].map((image) => `stand-in for ${image} (removed)`);
}
