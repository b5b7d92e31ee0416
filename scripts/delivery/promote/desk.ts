import type { Context } from '../../images/context.ts';
import { createExec } from '../../lib/exec.ts';
import { findServices, type Service } from '../../repository/service-files.ts';
import { commitEdits, type Edit, writeEdits } from './commit.ts';
import { type Git, gitIn } from './git.ts';
import { type Destination, destinationOf, nameOf, newest, pending, push } from './push.ts';
import { Overtaken } from './replay.ts';
import { assertSupported } from './worktree.ts';

/** What is to become of edits: left in the working tree, committed, or committed and pushed. */
export interface Wish {
  commit: boolean;
  push: boolean;
}

/** Where promotions are made: the checkout, with what was found out about it. */
export interface Desk {
  context: Context;
  root: string;
  /** Where the root lies below the top folder: '' or 'some/folder/'. */
  prefix: string;
  git: Git;
  /** The same Git in the top folder. */
  top: Git;
  /** A Git that an interruption does not end, to put things back with. */
  afterwards: Git;
  wish: Wish;
  /** Where the branch is pushed to, what is there, and which of our promotions are not; where it is to be pushed. */
  remote: { destination: Destination; upstream: string | undefined; pending: string[] } | undefined;
}

/** What became of edits. */
export interface Landed {
  commit: string | undefined;
  /** Where it was pushed to, as in `origin/main`. */
  pushed: string | undefined;
}

const nowhere: Landed = { commit: undefined, pushed: undefined };

/**
 * Looks whether these services' values files can be edited and committed without touching what somebody else is at.
 * Throws a `UserError`.
 */
export async function openDesk(context: Context, services: readonly Service[], wish: Wish): Promise<Desk> {
  const { root, childEnv } = context.config;
  const checkout = await context.checkout('fresh');
  const [git, top] = [gitIn(context.exec, root), gitIn(context.exec, checkout.top)];
  const afterwards = gitIn(createExec({ env: childEnv, signal: new AbortController().signal }), root);
  const desk: Desk = { context, root, prefix: checkout.prefix, git, top, afterwards, wish, remote: undefined };
  if (!wish.commit) return desk;
  await assertSupported(
    git,
    checkout,
    services.map(({ file }) => file),
  );
  if (!wish.push || checkout.branch === undefined) return desk;
  const destination = await destinationOf(git, checkout.branch);
  const upstream = await newest(top, destination);
  const all = await findServices(root, 'all');
  const files = new Set(all.map(({ file }) => `${checkout.prefix}${file}`));
  return { ...desk, remote: { destination, upstream, pending: await pending(top, upstream, files, destination) } };
}

/** Writes the edits and does with them what is wished. Throws a `UserError`; then the files are as they were. */
export async function land(desk: Desk, edits: readonly Edit[], message: string): Promise<Landed> {
  if (!desk.wish.commit) {
    await writeEdits(desk.root, edits);
    return nowhere;
  }
  const commit = await commitEdits(desk, edits, message);
  if (!desk.remote) return { commit, pushed: undefined };
  try {
    return await sendOff(desk, desk.remote);
  } catch (error) {
    if (error instanceof Overtaken) await takeBack(desk, commit);
    throw error;
  }
}

/** Pushes the promotions that were committed and not pushed earlier, where that is wished. */
export async function sendOffEarlier(desk: Desk): Promise<Landed> {
  return desk.remote && desk.remote.pending.length > 0 ? sendOff(desk, desk.remote) : nowhere;
}

async function sendOff({ top, context }: Desk, remote: NonNullable<Desk['remote']>): Promise<Landed> {
  const commit = await push(top, { ...remote, signal: context.signal });
  return { commit, pushed: nameOf(remote.destination) };
}

/** What can't follow what came in meanwhile shall not stay here either. */
async function takeBack({ afterwards }: Desk, commit: string): Promise<void> {
  if ((await afterwards.read(['rev-parse', 'HEAD'])) !== commit) return;
  await afterwards.attempt(['reset', '--quiet', '--keep', `${commit}^`]);
}
