import { groupOf } from '../../kubernetes/objects.ts';
import { type Finding, findingAt, type Located } from '../../repository/rendering/finding.ts';
import type { Repository } from '../../repository/rendering/repository.ts';
import { type Fields, listOf } from './objects/rule.ts';

/** What the cluster makes of what the charts render: the tree in Argo CD's interface shows only kinds of the list. */
const madeByTheCluster = ['apps/ReplicaSet', '/Pod', 'discovery.k8s.io/EndpointSlice'];

/** Whether the AppProject allows the kinds that the charts can render, and no others. */
export async function checkKinds(repository: Repository, projects: readonly Located[]): Promise<Finding[]> {
  // Argo CD leaves the pods of `helm test` alone.
  const rendered = (await repository.rendered()).filter(
    ({ object }) => object.metadata.annotations?.['helm.sh/hook'] === undefined,
  );
  const possible = new Set([
    ...rendered.map(({ object }) => kindOf(object.apiVersion, object.kind)),
    ...(await kindsInTemplates(repository)),
    ...madeByTheCluster,
  ]);
  return projects.flatMap((project) => {
    const list = listOf((project.object.spec as Fields)?.namespaceResourceWhitelist);
    if (list.length === 0) return [];
    const allowed = list.map(({ group, kind }) => `${group}/${kind}`);
    const { name } = project.object.metadata;
    return [
      ...rendered
        .filter(({ object }) => !allowed.includes(kindOf(object.apiVersion, object.kind)))
        .map((located) => {
          const message = `the AppProject ${name} does not allow it, so Argo CD would refuse to sync.`;
          const { apiVersion, kind } = located.object;
          const remedy = `Add {group: "${groupOf(apiVersion)}", kind: ${kind}} to ${project.file}.`;
          return findingAt(located, 'project-allows-kinds', ['kind'], message, remedy);
        }),
      ...allowed.flatMap((kind, i) => {
        if (possible.has(kind)) return [];
        const path = ['spec', 'namespaceResourceWhitelist', i];
        const message = `${list[i].kind} is allowed, and no chart renders it.`;
        return [findingAt(project, 'project-allows-kinds', path, message, 'Remove it.')];
      }),
    ];
  });
}

/** Those that are switched off, too: a template says its kind in plain text. */
async function kindsInTemplates(repository: Repository): Promise<string[]> {
  const files = (await repository.files('helm')).filter((file) => /\/templates\/[^/]+\.(tpl|ya?ml)$/.test(file));
  const texts = await Promise.all(files.map((file) => repository.text(file)));
  return texts.flatMap((text) =>
    [...text.matchAll(/^apiVersion: (\S+)\nkind: (\w+)$/gm)].map(([, version = '', kind = '']) =>
      kindOf(version, kind),
    ),
  );
}

/** @returns `apps/Deployment`; `/Pod` for a kind of the core. */
function kindOf(apiVersion: string, kind: string): string {
  return `${groupOf(apiVersion)}/${kind}`;
}
