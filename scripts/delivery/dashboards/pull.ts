import { dashboardPath, writeDashboard } from '../../repository/dashboards/files.ts';
import type { Comparison, State } from './compare.ts';

/** What pulling does about a dashboard. */
export interface Pulled {
  uid: string;
  file: string;
  /** Written, or left as it is and why. */
  result: 'written' | 'unchanged' | 'kept' | 'refused';
  reason: string;
}

const reasons: Record<State, Omit<Pulled, 'uid' | 'file'>> = {
  same: { result: 'unchanged', reason: 'Grafana shows what the file says' },
  'changed in Grafana': { result: 'written', reason: 'changed in Grafana' },
  'new in Grafana': { result: 'written', reason: 'new in Grafana' },
  'changed here': { result: 'kept', reason: 'only the file was changed: npm run up brings it to Grafana' },
  'only here': { result: 'kept', reason: 'Grafana does not have it yet: npm run up brings it there' },
  'changed in both': { result: 'refused', reason: 'changed here as well: commit that, or replace it with --force' },
};

/**
 * Whether a dashboard's file is written from what Grafana shows. A file that was changed on its own is not undone by that,
 * and one that was changed on both sides is only replaced where `replace` says so of its file.
 */
export function planPull({ uid, state }: Comparison, replace: (file: string) => boolean): Pulled {
  const file = dashboardPath(uid);
  if (state === 'changed in both' && replace(file))
    return { uid, file, result: 'written', reason: 'changed in Grafana' };
  return { uid, file, ...reasons[state] };
}

/** Writes what is planned. */
export async function carryOut(root: string, compared: readonly Comparison[], plan: readonly Pulled[]): Promise<void> {
  for (const { uid, result } of plan) {
    const text = compared.find((one) => one.uid === uid)?.there;
    if (result === 'written' && text !== undefined) await writeDashboard(root, uid, text);
  }
}
