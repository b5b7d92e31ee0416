import type { ToolName } from '../../kubernetes/tools/specs.ts';
import type { Tool } from '../../kubernetes/tools/toolbox.ts';
import { UserError } from '../../lib/errors.ts';
import type { DoctorCheck, DoctorContext, DoctorFinding } from './check.ts';

const names: readonly ToolName[] = ['kind', 'kubectl', 'helm'];

const origin: Record<Tool['source'], string> = {
  path: 'from the PATH',
  cache: 'from the cache',
  'go install': 'built with go install',
};

/** kind, kubectl and helm are here in a supported version, or can be fetched: what is missing is fetched right away. */
export const checkTools: DoctorCheck = (context) => Promise.all(names.map((name) => checkTool(context, name)));

/** The same of the tools that a cluster needs which kind did not make. */
export const checkClientTools: DoctorCheck = (context) =>
  Promise.all(names.filter((name) => name !== 'kind').map((name) => checkTool(context, name)));

async function checkTool({ toolbox }: DoctorContext, name: ToolName): Promise<DoctorFinding> {
  try {
    const { version, path, source } = await toolbox.find(name);
    return { check: name, level: 'ok', message: `${name} ${version} is ready, ${origin[source]} (${path}).` };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { id, message, hint } = error;
    return {
      check: name,
      level: 'problem',
      ...(id !== undefined && { errorId: id }),
      message,
      ...(hint !== undefined && { remedy: hint }),
    };
  }
}
