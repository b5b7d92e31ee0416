import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import { type Checkout, fileAt, shortSha } from '../../lib/git/checkout.ts';
import { type Git, gitIn, gitReason, literalPath, readPaths } from '../../lib/git/run.ts';
import { localValueFiles, readRegistrations } from '../../repository/applications.ts';
import { type Hold, holdsIn } from '../../repository/hold.ts';
import { findServices, readValuesText, type Service } from '../../repository/service-files.ts';
import { readYaml } from '../../repository/yaml.ts';
import { destinationOf, fetchNewest, type PushDestination, pendingCommits } from './push.ts';

/** What is to become of edits: left in the working tree, committed, or committed and pushed. */
export interface CommitOptions {
  commit: boolean;
  push: boolean;
}

/** The checkout that a promotion starts from. What is planned is planned for this commit of this branch. */
export interface Workspace {
  context: Context;
  root: string;
  top: string;
  /** Where the root lies below the top folder: '' or 'some/folder/'. */
  prefix: string;
  /** Git in the top folder, to look with. */
  git: Git;
  head: string;
  /** Undefined for a detached HEAD, which --no-commit alone allows. */
  branch: string | undefined;
  commitOptions: CommitOptions;
  /** Where the branch is pushed to, what is there, and which of our promotions are not; where it is to be pushed. */
  remote: { destination: PushDestination; upstream: string | undefined; pending: string[] } | undefined;
}

/** What a plan for a service is made from. */
export interface ServiceState {
  service: Service;
  /** Its values file at the branch's commit; with --no-commit, as it is in the working tree. */
  text: string;
  /** The tags that values files set which Helm reads after that one. */
  overrides: { file: string; line: number; tag: string }[];
  /** The holds at the push destination that this branch never had. */
  holdsElsewhere: Hold[];
}

/**
 * Looks whether these services' values files can be edited and committed.
 * @throws UserError
 */
export async function openWorkspace(
  context: Context,
  services: readonly Service[],
  commitOptions: CommitOptions,
): Promise<Workspace> {
  const { root } = context.config;
  const checkout = await context.checkout('fresh');
  const { top, prefix, head, branch } = checkout;
  const git = gitIn(context.exec, top, 'reading');
  const workspace = { context, root, top, prefix, git, head, branch, commitOptions, remote: undefined };
  if (!commitOptions.commit) return workspace;
  await assertSupported(context, git, checkout, services);
  if (!commitOptions.push || branch === undefined) return workspace;
  const destination = await destinationOf(git, branch);
  const upstream = await fetchNewest(gitIn(context.exec, top, 'remote'), destination);
  const all = await findServices(root, 'all');
  const files = new Set(all.map(({ file }) => `${prefix}${file}`));
  const pending = await pendingCommits(git, { upstream, head, files, destination });
  return { ...workspace, remote: { destination, upstream, pending } };
}

/**
 * Reads what plans are made from.
 * @throws UserError for a values file that is missing or is not UTF-8.
 */
export async function readServices(workspace: Workspace, services: readonly Service[]): Promise<ServiceState[]> {
  const { root, prefix, git, head, remote, commitOptions, context } = workspace;
  const { applications } = await readRegistrations(root);
  const committed = async (file: string) => fileAt(git, head, `${prefix}${file}`);
  const textOf = async (service: Service) => {
    // It tells of a file that is missing here, or in another encoding, in a better sentence than Git.
    const here = await readValuesText(root, service);
    return commitOptions.commit ? ((await committed(service.file)) ?? here) : here;
  };
  const overridesOf = async ({ name, file: own }: Service) => {
    const application = applications.find(({ metadata }) => metadata.name === name);
    if (!application) return [];
    const { path, helm } = application.spec.source;
    const lists = [helm.valueFiles, localValueFiles(application, context.config.environment)];
    const files = lists
      .map((list) => list.map((file) => (posix.isAbsolute(file) ? file.slice(1) : posix.join(path, file))))
      .flatMap((list) => list.slice(list.lastIndexOf(own) + 1));
    const found = [...new Set(files)].map(async (file) => tagsSet(file, (await committed(file)) ?? ''));
    return (await Promise.all(found)).flat();
  };
  const base = await sharedCommit(workspace);
  const holdsAt = async (commit: string | undefined, { file }: Service) =>
    commit === undefined ? [] : holdsIn((await fileAt(git, commit, `${prefix}${file}`)) ?? '');
  return Promise.all(
    services.map(async (service) => {
      const text = await textOf(service);
      // What both had once, was removed here since.
      const known = [...holdsIn(text), ...(await holdsAt(base, service))].map(({ note }) => note);
      const elsewhere = await holdsAt(remote?.upstream, service);
      return {
        service,
        text,
        overrides: await overridesOf(service),
        holdsElsewhere: elsewhere.filter(({ note }) => !known.includes(note)),
      };
    }),
  );
}

function tagsSet(file: string, text: string): ServiceState['overrides'] {
  const [document] = readYaml(text);
  const path = ['image', 'tag'];
  if (!document?.has(path)) return [];
  const { image } = (document.value ?? {}) as { image?: { tag?: unknown } };
  return [{ file, line: document.line(path) ?? 1, tag: String(image?.tag) }];
}

async function sharedCommit({ git, head, remote }: Workspace): Promise<string | undefined> {
  if (!remote?.upstream) return undefined;
  const shared = await git.attempt(['merge-base', remote.upstream, head]);
  if (shared.exitCode > 1) throw new UserError(`git merge-base failed: ${gitReason(shared)}`, { hint: 'git status' });
  return shared.stdout.trim() || undefined;
}

/** What can be under way in a checkout: the file that says so, what it is called, and the Git command that ends it. */
const gitOperations = [
  ['MERGE_HEAD', 'A merge', 'merge'],
  ['rebase-merge', 'A rebase', 'rebase'],
  ['rebase-apply', 'A rebase', 'rebase'],
  ['CHERRY_PICK_HEAD', 'A cherry-pick', 'cherry-pick'],
  ['REVERT_HEAD', 'A revert', 'revert'],
] as const;

/** Throws a `UserError` where a commit to these files would belong to no branch, or could not be made at all. */
async function assertSupported(
  { exec }: Context,
  git: Git,
  checkout: Checkout,
  services: readonly Service[],
): Promise<void> {
  await assertNoGitOperation(git);
  if (checkout.branch === undefined)
    throw new UserError(`HEAD is detached at ${shortSha(checkout.head)}: a commit there would belong to no branch.`, {
      id: 'checkout-busy',
      hint: 'git switch <branch>, as in git switch main.',
    });
  const staged = await readPaths(git, ['diff', '--cached', '--name-only', '--no-renames', '-z']);
  if (staged.length > 0)
    throw new UserError(`There are staged changes, which are your next commit: ${fileList(staged)}.`, {
      id: 'checkout-busy',
      hint: 'git commit them, or unstage them with git restore --staged.',
    });
  const files = services.map(({ file }) => `${checkout.prefix}${file}`);
  const edited = await editedFiles(git, files);
  if (edited.length > 0)
    throw new UserError(`There are edits that are not committed in ${fileList(edited)}.`, {
      id: 'checkout-busy',
      hint: 'git diff shows them: commit them first, or git stash.',
    });
  await assertCommitter(gitIn(exec, checkout.top, 'committing'));
}

async function assertNoGitOperation(git: Git): Promise<void> {
  const names = gitOperations.flatMap(([name]) => ['--git-path', name]);
  const files = (await git.read(['rev-parse', '--path-format=absolute', ...names])).split('\n');
  const [, what, command] = gitOperations.find((_, index) => existsSync(files[index] ?? '')) ?? [];
  if (what)
    throw new UserError(`${what} is under way in this checkout.`, {
      id: 'checkout-busy',
      hint: `git ${command} --continue finishes it, git ${command} --abort gives it up.`,
    });
}

async function assertCommitter(git: Git): Promise<void> {
  for (const who of ['GIT_AUTHOR_IDENT', 'GIT_COMMITTER_IDENT']) {
    const output = await git.attempt(['var', who]);
    if (output.exitCode === 0) continue;
    const reason = gitReason(output).split('\n').at(-1)?.replace('fatal: ', '');
    throw new UserError(`Git does not know who commits: ${reason}.`, {
      id: 'no-identity',
      hint: 'git config --global user.name "Your Name" && git config --global user.email you@example.com',
    });
  }
}

/** Those of the files, from the top folder, that differ from HEAD or are new. */
export async function editedFiles(git: Git, files: readonly string[]): Promise<string[]> {
  const how = ['--porcelain', '-z', '--no-renames', '--untracked-files=all'];
  const status = await readPaths(git, ['status', ...how, '--', ...files.map(literalPath)]);
  return status.map((line) => line.slice(3));
}

export function fileList(files: readonly string[]): string {
  const named = files.slice(0, 3).join(', ');
  return files.length > 3 ? `${named} and ${files.length - 3} more` : named;
}
