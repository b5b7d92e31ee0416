import { type DoctorFinding, findingText, ok, problemOf } from '../checks/doctor/check.ts';
import { diagnose } from '../checks/doctor/preflight.ts';
import { gatherStatus } from '../checks/status.ts';
import { noCluster } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { reportCredentials } from '../images/credentials/report.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { shortSha } from '../lib/git/checkout.ts';
import { type Command, checkFlags, type Invocation } from './command.ts';

export const doctorCommand: Command = {
  description: [
    'Checks what the platform needs of this machine, then every component if there is a cluster, and says what to do',
    'about each trouble. Changes nothing, but fetches kind, kubectl and helm where they are missing. Exit code 0 if all',
    'is well, 1 if a component is not, 2 if this machine is not.',
  ].join('\n'),
  flags: { json: { type: 'boolean', description: 'Print the findings as JSON.' }, ...checkFlags },
  examples: ['npm run doctor'],
  run: runDoctor,
};

async function runDoctor({ config, flags, signal, print }: Invocation): Promise<ExitCode> {
  const context = createContext(config, { signal });
  const examined = [await checkoutFinding(context), ...(await diagnose(context))];
  // Without Docker, even where that is ignored, or a checkout there is nothing to ask the components.
  const blind = examined.some(({ check, level }) => level === 'problem' || (check === 'docker' && level !== 'ok'));
  const machine = [...examined, ...(blind ? [] : await credentialsFindings(context))];
  const broken = machine.some(({ level }) => level === 'problem');
  const platform = blind ? [] : await componentFindings(context);
  const all = [...machine, ...platform];
  print(flags.json ? JSON.stringify(all, undefined, 2) : all.map(findingText).join('\n'));
  if (broken) return ExitCode.usage;
  return platform.some(({ level }) => level === 'problem') ? ExitCode.failed : ExitCode.done;
}

async function checkoutFinding(context: Context): Promise<DoctorFinding> {
  try {
    const { head, branch } = await context.checkout();
    const where = branch === undefined ? '' : ` of ${branch}`;
    return ok('checkout', `This checkout is at ${shortSha(head)}${where}.`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return problemOf('checkout', error);
  }
}

async function credentialsFindings(context: Context): Promise<DoctorFinding[]> {
  const check = 'credentials';
  const { state, message, remedy, notes } = await reportCredentials(context);
  return [
    { check, level: state === 'refused' ? 'problem' : 'ok', message, ...(remedy !== undefined && { remedy }) },
    ...notes.map((note): DoctorFinding => ({ check, level: 'warning', message: note })),
  ];
}

async function componentFindings(context: Context): Promise<DoctorFinding[]> {
  const { components } = await gatherStatus(context);
  const [first] = components;
  if (first?.state === 'absent')
    return [{ ...ok('cluster', noCluster(context).message.replace(/\.$/, ' yet.')), remedy: 'npm run up creates it.' }];
  return components.map((one): DoctorFinding => {
    if (one.state === 'ready')
      return ok(one.name, `${one.name} is ready${one.detail === undefined ? '' : `: ${one.detail}`}.`);
    const remedy = (one.state === 'unready' && one.hint) || 'npm run up repairs it, or says why it cannot.';
    return { check: one.name, level: 'problem', message: `${one.name}: ${one.missing}.`, remedy };
  });
}
