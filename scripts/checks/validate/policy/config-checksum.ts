import { type Finding, findingAt, type Tools } from '../../../repository/rendering/finding.ts';
import { render } from '../../../repository/rendering/helm.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { podsOf } from './pod.ts';

/**
 * Renders each chart once more with another variable: the ConfigMap changes with it, and then the pod template has to
 * change, too, or the pods would go on with what they read at their start.
 */
export async function checkChecksums(repository: Repository, tools: Tools): Promise<Finding[]> {
  const before = (await repository.renderings()).filter(
    ({ values, refusal, known }) => values === 'values.yaml' && refusal === undefined && !known,
  );
  const found = before.map(async ({ chart, objects }): Promise<Finding[]> => {
    const after = await render(repository.root, chart, undefined, tools, ['--set-string', 'env.VALIDATION=changed']);
    const templates = new Map(podsOf(after.objects).map((pod) => [pod.located.object.metadata.name, pod.metadata]));
    return podsOf(objects)
      .filter(({ spec }) => JSON.stringify(spec).includes('configMapRef'))
      .filter(({ located, metadata }) => {
        const changed = templates.get(located.object.metadata.name);
        return changed !== undefined && JSON.stringify(changed.annotations) === JSON.stringify(metadata.annotations);
      })
      .map(({ located, path }) =>
        findingAt(
          located,
          'service-config-checksum',
          [...path.slice(0, -1), 'metadata', 'annotations'],
          'a change of the ConfigMap changes nothing here, so the pods would not be replaced.',
          'Add an annotation with the checksum of what the ConfigMap holds.',
        ),
      );
  });
  return (await Promise.all(found)).flat();
}
