import type { KubeObject } from '../../kubernetes/objects.ts';

/** What Argo CD makes of Helm's hooks (gitops-engine, sync/hook/helm); the others, `test` among them, it leaves alone. */
const ofHelm: Record<string, string> = {
  'pre-install': 'PreSync',
  'pre-upgrade': 'PreSync',
  'post-install': 'PostSync',
  'post-upgrade': 'PostSync',
};
const phases: ReadonlySet<string> = new Set(['PreSync', 'Sync', 'PostSync', 'SyncFail']);

/**
 * The phases of a sync in which Argo CD runs an object as a hook; none for one that it leaves alone, such as a `helm test`
 * or what is marked Skip. Undefined for an object like all others.
 */
export function hookPhases({ metadata }: KubeObject): string[] | undefined {
  const values = (key: string) => (metadata.annotations?.[key] ?? '').split(',').map((value) => value.trim());
  const argo = values('argocd.argoproj.io/hook').filter((value) => value !== '');
  const helm = values('helm.sh/hook').filter((value) => value !== '' && value !== 'crd-install');
  if (argo.length === 0 && helm.length === 0) return undefined;
  const named = argo.filter((phase) => phases.has(phase) || phase === 'Skip');
  // Where it knows one of its own, Argo CD doesn't look at Helm's.
  const all = named.length > 0 ? named : helm.flatMap((value) => ofHelm[value] ?? []);
  return [...new Set(all.filter((phase) => phases.has(phase)))];
}
