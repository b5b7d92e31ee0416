import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import {
  type EndpointSlice,
  endpointOf,
  type PortForward,
  slicesPath,
  startPortForward,
} from '../kubernetes/port-forward.ts';
import { controllerService } from './ingress-controllers.ts';
import type { Site } from './tls.ts';

type PortName = 'http' | 'https';

/** The tunnels of a command, which all its contexts share, by the port that they lead to, for as long as they last. */
const tunnels = new WeakMap<Config, Map<PortName, Promise<PortForward>>>();

/**
 * The port of 127.0.0.1 by which a command asks the ingress for a site: of a cluster of kind the one that it publishes; of
 * another one a tunnel of this command's own, which ends with it. Throws where none can be had now.
 */
export async function wayIn(context: Context, { secret }: Site): Promise<number> {
  const name = secret ? 'https' : 'http';
  if (context.target === undefined) return context.config.ports[name];
  const known = tunnels.get(context.config) ?? new Map<PortName, Promise<PortForward>>();
  tunnels.set(context.config, known);
  const opening = known.get(name) ?? open(context, name);
  known.set(name, opening);
  const forget = () => {
    if (known.get(name) === opening) known.delete(name);
  };
  // The pod that it leads to may be replaced, or be none yet: the next one who asks gets another.
  opening.then(({ ended }) => ended.then(forget), forget);
  return (await opening).port;
}

/** Milliseconds for which connections of a tunnel that is replaced may go on. */
const farewell = 10_000;

/**
 * To be called when nothing came through a port that `wayIn` gave: whether another try has a way of its own, by a new
 * tunnel. kubectl ends or hangs with the pod that it leads to, and not always at once.
 */
export async function renewWayIn({ config }: Context, { secret }: Site, port: number): Promise<boolean> {
  const known = tunnels.get(config);
  const name = secret ? 'https' : 'http';
  const tunnel = await known?.get(name)?.catch(() => undefined);
  if (tunnel?.port === port) {
    known?.delete(name);
    setTimeout(() => tunnel.close(), farewell).unref();
  }
  return known !== undefined;
}

async function open(context: Context, name: PortName): Promise<PortForward> {
  const service = controllerService(context.config.ingressController);
  const { items } = await context.api().json<{ items: EndpointSlice[] | null }>(slicesPath);
  const endpoint = endpointOf(items ?? [], { ...service, port: name }, undefined);
  if (!endpoint) throw new Error('no pod of the ingress controller is ready');
  return startPortForward(context, endpoint, context.signal);
}
