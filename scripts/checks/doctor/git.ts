import { git, isAtLeast } from '../../config/versions.ts';
import { gitIn, gitVersion } from '../../lib/git/run.ts';
import { type DoctorCheck, firstLine } from './check.ts';

/** git is here, and the checkout is a repository with a commit: that is what Argo CD deploys. */
export const checkGit: DoctorCheck = async ({ exec, checkout, platform = process.platform }) => {
  const check = 'git';
  const version = await gitVersion(exec);
  if (version.exitCode !== 0) {
    const how =
      platform === 'darwin'
        ? 'xcode-select --install'
        : 'use the package manager of this system, for example apt install git';
    const why =
      version.exitCode === 127 ? 'is not installed, or not on the PATH' : `does not run: ${firstLine(version.stderr)}`;
    return { check, level: 'problem', errorId: 'git-missing', message: `git ${why}.`, remedy: `Install git: ${how}.` };
  }
  const found = version.stdout.trim().replace('git version ', '');
  if (!isAtLeast(found, git.minimum)) {
    return {
      check,
      level: 'problem',
      errorId: 'git-missing',
      message: `git ${found} is too old: ${git.minimum} or newer is needed.`,
      remedy: 'Update git: https://git-scm.com/downloads.',
    };
  }
  const head = await gitIn(exec, checkout, 'reading').attempt(['rev-parse', '--verify', 'HEAD']);
  if (head.exitCode === 0) return { check, level: 'ok', message: `git ${found} is ready.` };
  if (head.stderr.includes('dubious ownership')) {
    return {
      check,
      level: 'warning',
      errorId: 'git-untrusted',
      message: 'git refuses to read this checkout, as it belongs to another user.',
      remedy: `If you trust it: git config --global --add safe.directory "${checkout}".`,
    };
  }
  return {
    check,
    level: 'warning',
    errorId: 'no-checkout',
    message: 'This folder is no git repository with a commit, so that Argo CD has nothing to read from here.',
    remedy:
      'Use a clone (git clone) in place of a downloaded archive, or: git init && git add -A && git commit -m "Start"',
  };
};
