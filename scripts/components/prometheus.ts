import type { Config } from '../config.ts';
import type { KubeObject } from '../lib/objects.ts';
import { withField } from '../lib/objects.ts';
import { install } from './installation.ts';
import { readManifests, restartOnConfigChange } from './manifests.ts';

const folder = 'observability/prometheus';

/** Prometheus, by hand: each of its objects is a commented file. */
export const prometheus = install({
  name: 'prometheus',
  needs: ['cluster'],
  objects: async ({ config }) => {
    const objects = await readManifests(
      config.root,
      ['namespace', 'rbac', 'configMap', 'deployment', 'service'].map((name) => `${folder}/${name}.yaml`),
    );
    return restartOnConfigChange(watchController(objects, config.ingressController));
  },
});

/** Where the manifest says which namespace the ingress controller is in. */
const nginxNamespace = 'names: [ingress-nginx]';

/** The same objects, with Prometheus looking for the chosen ingress controller. Throws where the manifest names none. */
export function watchController(objects: readonly KubeObject[], controller: Config['ingressController']): KubeObject[] {
  if (controller === 'nginx') return [...objects];
  return objects.map((object) => {
    if (object.kind !== 'ConfigMap') return object;
    return withField(object, 'data', (data) => {
      const files = Object.entries(data as Record<string, string>);
      if (!files.some(([, text]) => text.includes(nginxNamespace))) {
        throw new Error(`${folder}/configMap.yaml has no ${nginxNamespace}`);
      }
      return Object.fromEntries(
        files.map(([file, text]) => [file, text.replace(nginxNamespace, `names: [${controller}]`)]),
      );
    });
  });
}
