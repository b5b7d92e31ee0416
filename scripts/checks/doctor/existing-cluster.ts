import { describeTarget } from '../../cluster/existing-cluster.ts';
import { copyUserContext } from '../../cluster/kubeconfig.ts';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import type { Finding } from './check.ts';

/** Whether the cluster that TARGET_CONTEXT names can be asked as the person's kubeconfig says, with their login of today. */
export async function targetFinding(context: Context): Promise<Finding> {
  const check = 'target';
  try {
    await copyUserContext(context);
    const where = await describeTarget(context);
    return { check, level: 'ok', message: `${where.charAt(0).toUpperCase()}${where.slice(1)} answers.` };
  } catch (error) {
    if (context.signal.aborted || !(error instanceof UserError)) throw error;
    const message = error.message.charAt(0).toUpperCase() + error.message.slice(1);
    const remedy = error.hint === 'npm run up' ? 'Is the network there, and the VPN that it takes?' : error.hint;
    return { check, level: 'problem', message, ...(remedy !== undefined && { remedy }) };
  }
}
