import type { Fault } from '../fault.ts';
import { startMirror, type Treatment } from '../mirror.ts';
import type { World } from '../world.ts';

const folder = '/etc/containerd/certs.d/docker.io';
const upstream = 'https://registry-1.docker.io';

/** A registry does harm: the node asks it through a mirror of ours, and lacks an image of several large layers. */
export const registry: readonly Fault[] = [
  {
    name: 'registry down',
    ends: 'message',
    says: [/Tried again: The image \S*prometheus\S* could not be pulled/, /prometheus: .*could not be pulled.*503/],
    within: 90,
    plant: (world) => upBehind(world, { status: 503 }),
  },
  {
    name: 'registry that cuts layers in the middle, for a while',
    ends: 'success',
    says: [/Tried again: The image \S*prometheus\S* could not be pulled.*(EOF|reset)/],
    within: 180,
    // containerd itself asks a few times for the rest of a layer: it has to be cut for longer than that.
    plant: (world) => upBehind(world, 'cut', { healed: /Tried again/ }),
  },
  {
    name: 'registry that cuts layers in the middle, for good',
    ends: 'message',
    says: [/Tried again: /, /prometheus: .*could not be pulled.*(EOF|reset)/],
    within: 120,
    plant: (world) => upBehind(world, 'cut'),
  },
  {
    name: 'registry that is too slow for the time that there is',
    ends: 'message',
    says: [/prometheus: The image \S+ did not come from docker\.io within 20 s/, /--timeout/],
    within: 90,
    plant: (world) => upBehind(world, { slow: 4000 }, { command: 'up --timeout 20' }),
  },
];

async function upBehind(
  world: World,
  treatment: Treatment,
  { command = 'up', healed }: { command?: string; healed?: RegExp } = {},
) {
  const format = '{{range .IPAM.Config}}{{.Gateway}} {{end}}';
  const gateways = (await world.docker('network', 'inspect', 'kind', '--format', format)).trim().split(' ');
  const mirror = await startMirror(gateways.find((one) => one.includes('.')) ?? '', upstream, treatment);
  world.undo(mirror.close);
  const aside = `${folder}.aside`;
  world.undo(() => world.inNode(`rm -rf ${folder}; if test -e ${aside}; then mv ${aside} ${folder}; fi`));
  await world.inNode(`
    if test -e ${folder}; then mv ${folder} ${aside}; fi
    mkdir -p ${folder}
    printf 'server = "%s"\n[host."%s"]\n' ${mirror.url} ${mirror.url} > ${folder}/hosts.toml`);
  await forgetImage(world, 'prometheus');
  return world.types(command, { on: healed ? [[healed, mirror.heal]] : [] });
}

/**
 * Takes the image that a Deployment of observability runs out of the node, under every name, and out of Docker here, which
 * would give it to the node: so it has to be pulled. Docker has it again afterwards.
 */
export async function forgetImage(world: World, deployment: string): Promise<void> {
  const where = ['deployment', deployment, '--namespace=observability', '--output=jsonpath={..image}'];
  const image = (await world.kubectl('get', ...where)).trim();
  if ((await world.person.run(['docker', 'image', 'inspect', image])).code === 0) {
    const aside = `${world.cluster}/aside:1`;
    await world.docker('tag', image, aside);
    await world.docker('rmi', image);
    world.undo(() => world.docker('rmi', aside));
    world.undo(() => world.docker('tag', aside, image));
  }
  await world.inNode(`
    list() { ctr --namespace=k8s.io images list; }
    digest=$(list | awk -v image='${image}' 'index($1, image) { print $3; exit }')
    ctr --namespace=k8s.io images remove --sync $(list | awk -v digest="$digest" '$3 == digest { print $1 }')`);
}
