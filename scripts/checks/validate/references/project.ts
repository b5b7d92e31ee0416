import { type Finding, findingAt, type Located } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import type { Fields } from '../policy/rule.ts';

/** What the cluster makes of what the charts render: the tree in Argo CD's interface shows only kinds of the list. */
const madeByTheCluster = ['apps/ReplicaSet', '/Pod', 'discovery.k8s.io/EndpointSlice'];

/** The AppProject of the services allows the kinds that their charts can render, and no others. */
export async function checkProject(repository: Repository): Promise<Finding[]> {
  const projects = (await repository.manifests()).filter(({ object }) => object.kind === 'AppProject');
  const rendered = (await repository.rendered()).filter(({ object }) => !isHook(object.metadata.annotations));
  const possible = new Set([...rendered.map(({ object }) => kindOf(object)), ...(await kindsInTemplates(repository))]);
  const open = projects.filter(({ object }) => allowedKinds(object.spec).length > 0);
  return open.flatMap((project) => [...forbidden(project, rendered), ...superfluous(project, possible)]);
}

function forbidden(project: Located, rendered: readonly Located[]): Finding[] {
  const allowed = new Set(allowedKinds(project.object.spec).map(({ group, kind }) => `${group}/${kind}`));
  return rendered
    .filter(({ object }) => !allowed.has(kindOf(object)))
    .map((located) =>
      findingAt(
        located,
        'project-allows-kinds',
        ['kind'],
        `the AppProject ${project.object.metadata.name} does not allow it, so Argo CD would refuse to sync.`,
        `Add {group: "${groupOf(located.object.apiVersion)}", kind: ${located.object.kind}} to ${project.file}.`,
      ),
    );
}

function superfluous(project: Located, possible: ReadonlySet<string>): Finding[] {
  return allowedKinds(project.object.spec).flatMap(({ group, kind }, i) =>
    possible.has(`${group}/${kind}`) || madeByTheCluster.includes(`${group}/${kind}`)
      ? []
      : [
          findingAt(
            project,
            'project-allows-kinds',
            ['spec', 'namespaceResourceWhitelist', i],
            `${kind} is allowed, and no chart renders it.`,
            'Remove it.',
          ),
        ],
  );
}

/** Those that are switched off, too: a template says its kind in plain text. */
async function kindsInTemplates(repository: Repository): Promise<string[]> {
  const files = (await repository.files('helm')).filter((file) => /\/templates\/[^/]+\.(tpl|ya?ml)$/.test(file));
  const texts = await Promise.all(files.map((file) => repository.text(file)));
  return texts.flatMap((text) =>
    [...text.matchAll(/^apiVersion: (\S+)\nkind: (\w+)$/gm)].map(
      ([, apiVersion = '', kind]) => `${groupOf(apiVersion)}/${kind}`,
    ),
  );
}

function allowedKinds(spec: unknown): Fields[] {
  return (spec as Fields)?.namespaceResourceWhitelist ?? [];
}

function kindOf({ apiVersion, kind }: Located['object']): string {
  return `${groupOf(apiVersion)}/${kind}`;
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

/** Argo CD leaves the pods of `helm test` alone. */
function isHook(annotations: Record<string, string> = {}): boolean {
  return 'helm.sh/hook' in annotations;
}
