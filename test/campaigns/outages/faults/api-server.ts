import type { Fault } from '../fault.ts';
import type { World } from '../world.ts';

const kill = (world: World) => world.inNode('kill -9 $(pidof kube-apiserver)');
const manifest = '/etc/kubernetes/manifests/kube-apiserver.yaml';

/** The API server goes away in the middle of the work, and comes back or does not. */
export const apiServer: readonly Fault[] = [
  {
    name: 'API server restarting during up',
    ends: 'success',
    says: [/Tried again: /],
    within: 240,
    async plant(world) {
      await world.kubectl('delete', 'deployment', '--all', '--namespace=observability');
      return world.types('up', { on: [[/✔ cluster/, () => kill(world)]] });
    },
  },
  {
    name: 'API server restarting during reset',
    ends: 'success',
    says: [/Tried again: /, /0 left/],
    within: 240,
    plant: (world) => world.types('reset --yes', { on: [[/✔ routes/, () => kill(world)]] }),
  },
  {
    name: 'API server that stays away',
    ends: 'message',
    says: [/Tried again: |does not answer/],
    within: 240,
    plant(world) {
      world.undo(() => world.inNode(`if test -e /root/away.yaml; then mv /root/away.yaml ${manifest}; fi`));
      const away = () => world.inNode(`mv ${manifest} /root/away.yaml; kill -9 $(pidof kube-apiserver)`);
      return world.types('up --timeout 20', { on: [[/✔ cluster/, away]] });
    },
  },
];
