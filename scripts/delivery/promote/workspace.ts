import { existsSync } from 'node:fs';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { blobsAt } from '../../lib/git/commits.ts';
import { type Git, gitIn, gitReason, literalPath, readPaths } from '../../lib/git/run.ts';
import { isRepositoryFile, localValueFiles } from '../../repository/applications.ts';
import { type Hold, holdsIn } from '../../repository/hold.ts';
import { readServiceApplications } from '../../repository/registrations.ts';
import { findServices, type Service } from '../../repository/service-files.ts';
import { readText } from '../../repository/text.ts';
import { readYaml } from '../../repository/yaml.ts';
import { readUpstream, type Upstream } from './upstream.ts';

/** What is to become of edits: left in the working tree, committed, or committed and pushed. */
export interface CommitOptions {
  commit: boolean;
  push: boolean;
}

/** The checkout that a promotion starts from. What is planned is planned for this commit of this branch. */
export interface Workspace {
  context: Context;
  top: string;
  /** Where this repository's files lie below the top folder: '' or 'some/folder/'. */
  prefix: string;
  /** Git in the top folder, to look with. */
  git: Git;
  /** The folder of the hooks, and the repository's own files of configuration, which need not exist. */
  gitFiles: { hooks: string; configuration: string[] };
  head: string;
  /** Undefined for a detached HEAD, which --no-commit alone allows. */
  branch: string | undefined;
  commitOptions: CommitOptions;
  /** Where the branch is to be pushed. */
  upstream: Upstream | undefined;
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

/** What can be under way in a checkout: the file that says so, what it is called, and the Git command that ends it. */
const gitOperations = [
  ['MERGE_HEAD', 'A merge', 'merge'],
  ['rebase-merge', 'A rebase', 'rebase'],
  ['rebase-apply', 'A rebase', 'rebase'],
  ['CHERRY_PICK_HEAD', 'A cherry-pick', 'cherry-pick'],
  ['REVERT_HEAD', 'A revert', 'revert'],
] as const;

/**
 * Checks whether these services' values files can be edited and committed.
 * @throws UserError where a commit to these files would belong to no branch, or could not be made or pushed.
 */
export async function openWorkspace(
  context: Context,
  services: readonly Service[],
  commitOptions: CommitOptions,
): Promise<Workspace> {
  const { top, prefix, head, branch } = await context.checkout('fresh');
  const git = gitIn(context.exec, top, 'reading');
  const names = ['hooks', 'config', 'config.worktree', ...gitOperations.map(([name]) => name)];
  const paths = names.flatMap((name) => ['--git-path', name]);
  const found = (await git.read(['rev-parse', '--path-format=absolute', ...paths])).split('\n');
  const [hooks = '', ...configuration] = found.splice(0, 3);
  const gitFiles = { hooks, configuration };
  const workspace = { context, top, prefix, git, gitFiles, head, branch, commitOptions, upstream: undefined };
  if (!commitOptions.commit) return workspace;
  const [, what, command] = gitOperations.find((_, index) => existsSync(found[index] ?? '')) ?? [];
  if (what)
    throw busy(
      `${what} is under way in this checkout.`,
      `git ${command} --continue finishes it, git ${command} --abort ends it.`,
    );
  if (branch === undefined)
    throw busy(
      `HEAD is detached at ${shortSha(head)}: a commit there would belong to no branch.`,
      'git switch <branch>, as in git switch main; where Jujutsu keeps it detached, --no-commit edits the files for jj commit.',
    );
  const staged = await readPaths(git, ['diff', '--cached', '--name-only', '--no-renames', '-z']);
  if (staged.length > 0)
    throw busy(
      `There are staged changes, which are your next commit: ${fileList(staged)}.`,
      'git commit them, or unstage them with git restore --staged.',
    );
  const edited = await editedFiles(git, filesIn(workspace, services));
  if (edited.length > 0)
    throw busy(
      `There are edits that are not committed in ${fileList(edited)}.`,
      'git diff shows them: commit them first, or git stash.',
    );
  await Promise.all([readIdentity(workspace, 'AUTHOR'), readIdentity(workspace, 'COMMITTER')]);
  if (!commitOptions.push) return workspace;
  const all = filesIn(workspace, await findServices(context, 'all'));
  return { ...workspace, upstream: await readUpstream(workspace, branch, all) };
}

function busy(message: string, hint: string): UserError {
  return new UserError(message, { id: 'checkout-busy', hint });
}

/** The services' values files, from the top folder. */
function filesIn({ prefix }: Pick<Workspace, 'prefix'>, services: readonly Service[]): string[] {
  return services.map(({ file }) => `${prefix}${file}`);
}

/**
 * The name that a commit would bear.
 * @throws UserError where Git knows none.
 */
export async function readIdentity({ context, top }: Workspace, role: 'AUTHOR' | 'COMMITTER'): Promise<string> {
  const output = await gitIn(context.exec, top, 'committing').attempt(['var', `GIT_${role}_IDENT`]);
  if (output.exitCode === 0) return output.stdout.split(' <')[0] ?? '';
  const reason = gitReason(output).split('\n').at(-1)?.replace('fatal: ', '');
  throw new UserError(`Git does not know who commits: ${reason}.`, {
    id: 'no-identity',
    hint: 'git config --global user.name "Your Name" && git config --global user.email you@example.com',
  });
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

/**
 * Reads what plans are made from.
 * @throws UserError for a values file that is missing or is not UTF-8.
 */
export async function readServices(
  { context, prefix, git, head, upstream, commitOptions }: Workspace,
  services: readonly Service[],
): Promise<ServiceState[]> {
  const { root, environment } = context.config;
  const applications = await readServiceApplications(context);
  /** The values files that Helm reads after the service's own, in production and here. */
  const overlaysOf = ({ name }: Service) => {
    const application = applications.find(({ metadata }) => metadata.name === name);
    if (!application) return [];
    const { path, helm } = application.spec.source;
    const lists = [helm.valueFiles.filter(isRepositoryFile), localValueFiles(application, environment)];
    return [...new Set(lists.flatMap((list) => list.slice(list.lastIndexOf(`${path}/values.yaml`) + 1)))];
  };
  const wanted = services.map((service) => {
    const { file } = service;
    const others = upstream?.commit ? [upstream.base, upstream.commit].map((commit) => ({ commit, file })) : [];
    const overlays = overlaysOf(service).map((overlay) => ({ commit: head, file: overlay }));
    return [{ commit: head, file }, ...others, ...overlays];
  });
  const names = wanted.flat().map(({ commit, file }) => `${commit}:${prefix}${file}`);
  const found = await blobsAt(git, names);
  const textOf = (commit: string | undefined, file: string) => found[names.indexOf(`${commit}:${prefix}${file}`)];
  return Promise.all(
    services.map(async (service) => {
      // It tells of a file that is missing here, or in another encoding, in a better sentence than Git.
      const here = await readText(root, service.file);
      const text = commitOptions.commit ? (textOf(head, service.file) ?? here) : here;
      // What both had once, was removed here since.
      const known = [text, textOf(upstream?.base, service.file) ?? ''].flatMap(holdsIn).map(({ note }) => note);
      const elsewhere = holdsIn(textOf(upstream?.commit, service.file) ?? '');
      return {
        service,
        text,
        overrides: overlaysOf(service).flatMap((file) => tagsSet(file, textOf(head, file) ?? '')),
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
