import { unfitness } from '../../components/applications.ts';
import { difference } from '../../components/registrations.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import type { Application } from '../../repository/applications.ts';

/** Whether Argo CD has compared the commit with the cluster, rendered from the source that is wanted. */
export function isCompared(application: Application, source: Application['spec']['source'], commit: string): boolean {
  return application.status?.sync?.revision === commit && difference(application, source) === undefined;
}

/** What keeps a commit from being synced, as a sentence; undefined once the cluster is as it says, also where it was before. */
export function unsynced(application: Application, commit: string): string | undefined {
  const { metadata, operation, status } = application;
  const { phase, message, operation: begun } = status?.operationState ?? {};
  if (operation || phase === 'Running') {
    const revision = operation?.sync?.revision ?? begun?.sync?.revision;
    const what = revision && revision !== commit ? ` (${shortSha(revision)} is)` : '';
    return `Application ${metadata.name} is being synced${what}${message ? `: ${message}` : ''}`;
  }
  if (status?.sync?.status === 'Synced' && status.sync.revision === commit) return undefined;
  return `Application ${metadata.name} is ${unfitness(application, commit)}`;
}

/** The commit that Argo CD applied last, whatever came of it. */
export function syncedLast({ status }: Application): string | undefined {
  return status?.operationState?.syncResult?.revision;
}
