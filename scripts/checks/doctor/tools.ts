import { git, isAtLeast } from '../../config/versions.ts';
import { UserError } from '../../lib/errors.ts';
import { gitVersion } from '../../lib/git/run.ts';
import { type DoctorCheck, firstLine, ok, problem, problemOf } from './check.ts';

/** The tools are here in a supported version, or can be fetched: what is missing is fetched right away. */
export const checkTools: DoctorCheck = ({ toolbox, tools }) => {
  const findings = tools.map(async (name) => {
    try {
      const { version, path, source } = await toolbox.find(name);
      return ok(name, `${name} ${version} is ready, from the ${source === 'path' ? 'PATH' : source} (${path}).`);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return problemOf(name, error);
    }
  });
  return Promise.all(findings);
};

/** git is here, and the checkout is one that Argo CD can deploy from: any command would refuse another. */
export const checkGit: DoctorCheck = async ({ exec, checkout, platform = process.platform }) => {
  const version = await gitVersion(exec);
  if (version.exitCode !== 0) {
    const how =
      platform === 'darwin'
        ? 'xcode-select --install'
        : 'use the package manager of this system, for example apt install git';
    const why =
      version.exitCode === 127 ? 'is not installed, or not on the PATH' : `does not run: ${firstLine(version.stderr)}`;
    return problem('git', { errorId: 'git-missing', message: `git ${why}.`, remedy: `Install git: ${how}.` });
  }
  const found = version.stdout.trim().replace('git version ', '');
  if (!isAtLeast(found, git.minimum)) {
    const message = `git ${found} is too old: ${git.minimum} or newer is needed.`;
    return problem('git', { errorId: 'git-missing', message, remedy: 'Update git: https://git-scm.com/downloads.' });
  }
  try {
    await checkout();
    return ok('git', `git ${found} is ready.`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return problemOf('git', error);
  }
};
