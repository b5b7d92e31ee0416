import { install } from './installation.ts';
import { readManifests, restartOnConfigChange } from './manifests.ts';

const folder = 'observability/prometheus';

/** Prometheus, by hand: each of its objects is a commented file. */
export const prometheus = install({
  name: 'prometheus',
  needs: ['cluster'],
  objects: async ({ config }) =>
    restartOnConfigChange(
      await readManifests(
        config.root,
        ['namespace', 'rbac', 'configMap', 'deployment', 'service'].map((name) => `${folder}/${name}.yaml`),
      ),
    ),
});
