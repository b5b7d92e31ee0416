import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Application } from './read.ts';

const wantedOptions = ['ServerSideApply', 'ApplyOutOfSyncOnly', 'PruneLast'];
const finalizer = 'resources-finalizer.argocd.argoproj.io';
const policy = ['spec', 'syncPolicy'];

/** Whether Argo CD deploys, heals, retries and removes without a person. */
export function syncsItself(application: Application): Finding[] {
  const { finalizers, finding } = application;
  const owned = finalizers.some((each) => each === finalizer || each.startsWith(`${finalizer}/`));
  return [
    ...checkAutomated(application),
    ...checkRetry(application),
    ...checkOptions(application),
    ...(owned
      ? []
      : [
          finding(
            'application-finalizer',
            ['metadata', 'finalizers'],
            'without the finalizer of Argo CD what it deployed outlives it, unowned.',
            `Add ${finalizer}.`,
          ),
        ]),
  ];
}

function checkAutomated({ syncPolicy: { automated }, finding }: Application): Finding[] {
  const rule = 'application-automated';
  if (automated === undefined || automated === null || automated.enabled === false) {
    const message = 'a commit would wait until someone presses Sync.';
    return [finding(rule, [...policy, 'automated'], message, 'Add automated with prune: true and selfHeal: true.')];
  }
  const without = { prune: 'what disappears from Git would stay', selfHeal: 'changes by hand would stay' } as const;
  return (['prune', 'selfHeal'] as const)
    .filter((field) => automated[field] !== true)
    .map((field) =>
      finding(rule, [...policy, 'automated', field], `${without[field]} in the cluster.`, `Write ${field}: true.`),
    );
}

function checkRetry({ syncPolicy: { retry }, finding }: Application): Finding[] {
  const { limit, backoff } = retry ?? {};
  const findings: Finding[] = [];
  const found = (field: string, message: string, remedy: string) =>
    findings.push(finding('application-retry', [...policy, 'retry', field], message, remedy));
  if (limit === undefined || limit < 1) {
    const message = 'a sync that fails for a passing reason has to be tried again, a limited number of times.';
    found('limit', message, 'Write a number above 0, such as 5.');
  }
  if (!backoff?.duration || !backoff.maxDuration || !((backoff.factor ?? 0) > 1)) {
    const message = 'the wait has to grow from one try to the next, up to a maximum.';
    found('backoff', message, 'State duration, a factor above 1, and maxDuration.');
  }
  return findings;
}

function checkOptions({ syncPolicy: { syncOptions = [] }, finding }: Application): Finding[] {
  return wantedOptions
    .filter((option) => !syncOptions.includes(`${option}=true`))
    .map((option) => {
      const message = `${option}=true is missing.`;
      return finding('application-sync-options', [...policy, 'syncOptions'], message, `Add ${option}=true.`);
    });
}
