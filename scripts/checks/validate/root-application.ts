import { isKindAllowed } from '../../delivery/diff/targets.ts';
import { groupOf } from '../../kubernetes/objects.ts';
import { type Application, normalPath } from '../../repository/applications.ts';
import { projectRefusals } from '../../repository/projects.ts';
import {
  hasShape,
  isApplication,
  isClusterKind,
  productionFolder,
  registrationsFolder,
} from '../../repository/registrations.ts';
import type { Finding, Located } from '../../repository/rendering/finding.ts';
import { type Fault, type Fields, findingsAt, listOf } from './objects/rule.ts';

const rule = 'root-application';

/**
 * Whether the root Application of production can deploy what is registered, and deletes none of it.
 * @param all every manifest of the repository
 * @param registered those of argocd/
 */
export function checkRoot(all: readonly Located[], registered: readonly Located[]): Finding[] {
  const given = all.filter(({ file }) => file.startsWith(`${productionFolder}/`));
  const roots = given.filter(({ object }) => isApplication(object) && hasShape(object));
  return roots.flatMap((root) => {
    const name = (root.object.spec as Fields).project;
    const project = given.find(({ object }) => object.kind === 'AppProject' && object.metadata.name === name);
    const faults = findingsAt(root, rootFaults(root.object as Application, project));
    if (project === undefined) return faults;
    const refused = registered.filter(
      ({ object }) => !isKindAllowed(project.object, object, !isClusterKind(object.kind)),
    );
    return [
      ...faults,
      ...refused.flatMap((one) => {
        const { apiVersion, kind } = one.object;
        const message = `the AppProject ${name} does not allow it, so production would not get it.`;
        const remedy = `Add "- {group: '${groupOf(apiVersion)}', kind: ${kind}}" in ${project.file}.`;
        return findingsAt(one, [[rule, ['kind'], message, remedy]]);
      }),
    ];
  });
}

function* rootFaults(root: Application, project: Located | undefined): Iterable<Fault> {
  const { source, syncPolicy } = root.spec as Application['spec'] & Fields;
  if (normalPath(source?.path ?? '.') !== registrationsFolder) {
    const message = `it has to deploy ${registrationsFolder}/.`;
    yield [rule, ['spec', 'source', 'path'], message, `Write ${registrationsFolder}.`];
  }
  if (syncPolicy?.automated?.prune !== false) {
    const message = 'a file that is lost would delete a service.';
    yield [rule, ['spec', 'syncPolicy', 'automated', 'prune'], message, 'Write prune: false.'];
  }
  for (const [index, finalizer] of listOf(root.metadata.finalizers).entries()) {
    const message = `with ${finalizer}, deleting it deletes every Application.`;
    yield [rule, ['metadata', 'finalizers', index], message, 'Take it out.'];
  }
  if (project === undefined) {
    const message = `${productionFolder}/ has no AppProject ${root.spec.project ?? ''}.`;
    yield [rule, ['spec', 'project'], message, 'Give it a project of its own there.'];
    return;
  }
  for (const { path, what, allow } of projectRefusals(root, project.object))
    yield [rule, path, `its project does not allow ${what}.`, `Correct it, or add ${allow}.`];
}
