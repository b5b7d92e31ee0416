import { isKindAllowed } from '../../delivery/diff/targets.ts';
import { groupOf } from '../../kubernetes/objects.ts';
import type { ChartSource } from '../../repository/applications.ts';
import { isClusterKind } from '../../repository/registrations.ts';
import type { Finding, Located } from '../../repository/rendering/finding.ts';
import type { Repository } from '../../repository/rendering/repository.ts';
import { type Fields, findingsAt, listOf } from './objects/rule.ts';

/** What the cluster makes of what the charts render: the tree in Argo CD's interface shows only kinds of the list. */
const madeByTheCluster = ['apps/ReplicaSet', '/Pod', 'discovery.k8s.io/EndpointSlice'];

/**
 * Whether the AppProject allows the kinds that the charts can render, and no others.
 * @param sources the chart of this repository that each of the Applications deploys, if it does.
 */
export async function checkKinds(
  repository: Repository,
  projects: readonly Located[],
  applications: readonly Located[],
  sources: readonly (ChartSource | undefined)[],
): Promise<Finding[]> {
  // Argo CD leaves the pods of `helm test` alone.
  const rendered = (await repository.rendered()).filter(
    ({ object }) => object.metadata.annotations?.['helm.sh/hook'] === undefined,
  );
  const kindOf = ({ object: { apiVersion, kind } }: Located) => `${groupOf(apiVersion)}/${kind}`;
  const possible = [...rendered.map(kindOf), ...(await kindsInTemplates(repository)), ...madeByTheCluster];
  return projects.flatMap((project) => {
    const { name } = project.object.metadata;
    const isIn = ({ object }: Located) => (object.spec as Fields)?.project === name;
    const folders = sources.flatMap((source, i) => (source && isIn(applications[i] as Located) ? [source.path] : []));
    // What other sources render is not known here; a chart without an Application has a finding of its own.
    const knowsAll = !applications.some((one, i) => isIn(one) && sources[i] === undefined);
    const list = listOf((project.object.spec as Fields)?.namespaceResourceWhitelist);
    const allowed = list.map(({ group, kind }) => `${group}/${kind}`);
    const refused = rendered.filter(
      ({ object, file }) =>
        folders.some((folder) => file.startsWith(`${folder}/`)) &&
        !isKindAllowed(project.object, object, !isClusterKind(object.kind)),
    );
    const unused = knowsAll ? [...list.entries()].filter(([i]) => !possible.includes(allowed[i] ?? '')) : [];
    return [
      ...refused.flatMap((located) => {
        const message = `the AppProject ${name} does not allow it, so Argo CD would refuse to sync.`;
        const { apiVersion, kind } = located.object;
        const list = isClusterKind(kind) ? 'clusterResourceWhitelist' : 'namespaceResourceWhitelist';
        const remedy = `Add "- {group: '${groupOf(apiVersion)}', kind: ${kind}}" to spec.${list} in ${project.file}.`;
        return findingsAt(located, [['project-allows-kinds', ['kind'], message, remedy]]);
      }),
      ...unused.flatMap(([i, { kind }]) => {
        const path = ['spec', 'namespaceResourceWhitelist', i];
        const message = `${kind} is allowed, and no chart renders it.`;
        return findingsAt(project, [['project-allows-kinds', path, message, 'Remove it.']]);
      }),
    ];
  });
}

/** Those that are switched off, too: a template says its kind in plain text. `/Pod` for a kind of the core. */
async function kindsInTemplates(repository: Repository): Promise<string[]> {
  const files = (await repository.files('helm')).filter((file) => /\/templates\/[^/]+\.(tpl|ya?ml)$/.test(file));
  const texts = await Promise.all(files.map((file) => repository.text(file)));
  return texts.flatMap((text) =>
    [...text.matchAll(/^apiVersion: (\S+)\nkind: (\w+)$/gm)].map(
      ([, version = '', kind]) => `${groupOf(version)}/${kind}`,
    ),
  );
}
