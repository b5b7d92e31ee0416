import { type KubeObject, withField } from './objects.ts';

/**
 * The same workload with another pod template: `edit` is given a copy of it, once the spec is first asked for. What it throws,
 * who reads the spec is thrown.
 */
export function withTemplate<T>(workload: KubeObject, edit: (template: T) => void): KubeObject {
  return withField(workload, 'spec', (spec) => {
    const copy = structuredClone(spec) as { template: T };
    edit(copy.template);
    return copy;
  });
}

/** The same objects, of which the Deployments have another pod template. */
export function withTemplates<T>(objects: readonly KubeObject[], edit: (template: T) => void): KubeObject[] {
  return objects.map((object) => (object.kind === 'Deployment' ? withTemplate(object, edit) : object));
}
