import type { Context } from '../images/context.ts';
import { type Container, demandDocker } from '../lib/docker/docker.ts';
import { UserError } from '../lib/errors.ts';
import { telling } from './creation.ts';

/** Seconds in which the node's systemd ends what runs in it, before Docker ends it all: Docker's own default. */
const grace = 10;

/** Stops the node container. Throws a `UserError` with Docker's reason where it goes on running. */
export async function stopNode(context: Context, { state }: Container): Promise<void> {
  const { exec, node, timeout } = context;
  // One that is paused hears no signal.
  if (state === 'paused') await exec(['docker', 'unpause', node], { nothrow: true, timeout });
  const { exitCode, stderr } = await exec(['docker', 'stop', '--time', `${grace}`, node], { nothrow: true, timeout });
  if (exitCode === 0) return;
  demandDocker(stderr);
  throw new UserError(`The node container ${node} could not be stopped: ${telling(stderr)}`, {
    hint: 'npm run stop tries again; npm run doctor looks at Docker.',
  });
}
