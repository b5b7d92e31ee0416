import { cluster } from '../cluster/cluster.ts';
import type { Component } from '../cluster/component.ts';
import { lockCluster } from '../cluster/lock.ts';
import { applications } from '../components/applications.ts';
import { hasForeignPullSecret, theirSecret } from '../components/pull-secret.ts';
import { removeRepositorySecret, repositoryAccess } from '../components/repository-access.ts';
import { serviceImages } from '../components/service-images.ts';
import { services } from '../components/services.ts';
import { saveSettings } from '../config/dotenv.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { type AccountAnswer, applyAnswer, askForAccount } from '../images/credentials/choose-account.ts';
import { type Account, type AccountSearch, describeAccount } from '../images/credentials/credentials.ts';
import { accountJson } from '../images/credentials/report.ts';
import { newTokenLink } from '../images/credentials/token-check.ts';
import { ExitCode, UsageError } from '../lib/errors.ts';
import { createProgress, timed } from '../lib/terminal/progress.ts';
import { askWhether, type Terminal, terminalOf } from '../lib/terminal/prompt.ts';
import { capitalized } from '../lib/text.ts';
import { type Command, contextOptions, type Invocation, lockFlags } from './command.ts';

export const credentialsCommand: Command = {
  description: [
    'Looks for a token in the environment, in .env, in gh and in the login of Docker, and asks for one on a terminal.',
    'It is tried on every image that the values name before anything uses it; then a running cluster gets it, and the',
    'real images replace the stand-ins. Run it again to replace the token. Exit code 0 if there is a token that works,',
    '2 if not.',
  ].join('\n'),
  flags: {
    check: { type: 'boolean', description: 'Only look and check; save and change nothing.' },
    keep: { type: 'boolean', description: 'Save the token that was found in .env, wherever it came from.' },
    remove: { type: 'boolean', description: 'Remove the token from the cluster, and go back to stand-ins.' },
    forget: { type: 'boolean', description: 'With --remove: remove it from .env as well.' },
    json: { type: 'boolean', description: 'Print the result as JSON, and ask nothing.' },
    ...lockFlags,
  },
  examples: ['npm run credentials', 'npm run credentials -- --check', 'npm run credentials -- --remove --forget'],
  interrupted: 'npm run credentials goes on where it stopped.',
  run: runCredentials,
};

async function runCredentials(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, signal, progressStream } = invocation;
  assertFlags(flags);
  const progress = await createProgress(progressStream);
  // You call this because you want a token, whatever .env says.
  const asked = { ...config, tokens: { ...config.tokens, use: flags.remove ? ('none' as const) : ('auto' as const) } };
  const context = createContext(asked, contextOptions(invocation, progress.note));
  const terminal = flags.json ? undefined : terminalOf(process.stdin, progressStream, signal);
  const unlock = flags.check ? () => {} : await lockCluster(invocation, 'credentials');
  try {
    if (flags.remove) return await remove(invocation, context, terminal);
    return await give(invocation, context, terminal);
  } finally {
    progress.stop();
    unlock();
  }
}

function assertFlags({ check, keep, remove, forget }: Invocation['flags']): void {
  const forgetting = 'npm run credentials -- --remove --forget';
  for (const [wrong, message, hint] of [
    [remove && (check || keep), '--remove can be combined with --forget only.', forgetting],
    [check && keep, '--check changes nothing, so there is nothing to keep.', 'npm run credentials -- --keep'],
    [forget && !remove, '--forget needs --remove.', forgetting],
  ] as const)
    if (wrong) throw new UsageError(message, { id: 'flags-exclude', hint });
}

async function give(invocation: Invocation, context: Context, terminal: Terminal | undefined): Promise<ExitCode> {
  const { config, flags, print, progressStream } = invocation;
  const say = (text: string) => void progressStream.write(`${text}\n`);
  const found = await search(context, terminal && !flags.check ? say : undefined);
  if (!found.account && (!terminal || flags.check)) throw noTokenError(found, say);
  for (const note of found.notes) say(`! ${note}`);
  const answer = await answerTo(found, flags, context, terminal);
  // The settings as they are in .env decide what is to be changed there.
  const notes = await applyAnswer({ ...context, config }, answer);
  if (answer.kind === 'none') {
    print(['Services run as stand-ins.', ...notes].join('\n'));
    return ExitCode.done;
  }
  const { account } = answer;
  context.credentials.use(account);
  const applied = flags.check ? undefined : await applyCredentials(context, progressStream);
  notes.push(...(applied?.notes ?? []));
  if (config.tokens.use === 'none' && !flags.check && !flags.keep)
    notes.push('GHCR_CREDENTIALS=none still has npm run up use stand-ins.');
  report(invocation, account, { notes, applied, passing: account.source === 'prompt' && answer.keep === 'run' });
  return ExitCode.done;
}

async function answerTo(
  { account }: AccountSearch,
  flags: Invocation['flags'],
  context: Context,
  terminal: Terminal | undefined,
): Promise<AccountAnswer> {
  if (account) return { kind: 'account', account, keep: flags.keep ? 'save' : 'run' };
  if (!terminal) return { kind: 'none', never: false };
  return askForAccount(terminal, (token) => context.credentials.check(token), context.config.gitops?.repoUrl);
}

/** The first token that doesn't work is what to mend; of the others it is enough to hear. */
function noTokenError({ refused, notes }: AccountSearch, say: (text: string) => void): UsageError {
  for (const note of notes.slice(1)) say(`! ${note}`);
  if (refused) return new UsageError(refused.message, { id: refused.errorId, hint: refused.remedy });
  return new UsageError(
    'There is no token: services run as stand-ins.',
    `Put GITHUB_TOKEN=<a classic token with read:packages> into .env: ${newTokenLink}`,
  );
}

/** Where somebody can answer, a token in .env that doesn't work is what the question is for. */
async function search(context: Context, say: ((text: string) => void) | undefined): Promise<AccountSearch> {
  try {
    return await context.credentials.search();
  } catch (error) {
    if (!(error instanceof UsageError) || !say) throw error;
    say(`✖ ${error.message}`);
    return { account: undefined, notes: [] };
  }
}

const keptTheirs = `The cluster pulls ${theirSecret}. It is kept as it is.`;

function report(
  { flags, print }: Invocation,
  account: Account,
  { notes, applied, passing }: { notes: string[]; applied: Applied | undefined; passing: boolean },
): void {
  if (flags.json) {
    print(JSON.stringify({ ...accountJson(account), changed: applied?.changed ?? [], notes }, undefined, 2));
    return;
  }
  const absent = `There is no cluster that runs${passing ? ', so nothing has it now.' : ': npm run up uses it.'}`;
  const has = `The cluster has it${passing ? ' until the next npm run up' : ''}.`;
  const where = applied === undefined ? absent : applied.theirs ? keptTheirs : has;
  const about = `${account.checked ? '✔' : '!'} ${capitalized(account.title)}: ${describeAccount(account)}`;
  print([about, ...notes, ...(flags.check ? [] : [where])].join('\n'));
}

async function remove(invocation: Invocation, context: Context, terminal: Terminal | undefined): Promise<ExitCode> {
  const { config, flags, print, progressStream } = invocation;
  const { inFile, inEnvironment } = config.tokens;
  const forget =
    flags.forget || (inFile && terminal && (await askWhether(terminal, 'Take the token out of .env as well?')));
  const applied = await applyCredentials(context, progressStream);
  const forgotten = Boolean(forget && inFile);
  if (forgotten) await saveSettings(context.exec, config.root, { GITHUB_TOKEN: undefined });
  if (flags.json) {
    print(JSON.stringify({ changed: applied?.changed ?? [], forgotten }, undefined, 2));
    return ExitCode.done;
  }
  const left = inFile && !forgotten ? '.env' : inEnvironment ? 'the environment' : undefined;
  const lines = [removedFrom(applied), ...(applied?.notes ?? [])];
  if (forgotten) lines.push('It is out of .env.');
  if (left) lines.push(`There is a token in ${left}: the next npm run up uses it, unless GHCR_CREDENTIALS=none.`);
  print(lines.join('\n'));
  return ExitCode.done;
}

function removedFrom(applied: Applied | undefined): string {
  if (applied === undefined) return 'There is no cluster that runs.';
  if (applied.theirs) return keptTheirs;
  if (applied.changed.length === 0) return 'The cluster has no token.';
  return 'The token is out of the cluster, and its services are stand-ins.';
}

/** What came of it in the cluster. */
interface Applied {
  changed: string[];
  notes: string[];
  /** Whether the cluster pulls with a secret that the platform did not create, and so has no token of ours. */
  theirs: boolean;
}

/**
 * Lets a running cluster have the account that the context has, or none, and waits until the services run with that.
 * @returns undefined where no cluster runs.
 * @throws UserError where a service doesn't get there.
 */
async function applyCredentials(context: Context, stream: NodeJS.WriteStream): Promise<Applied | undefined> {
  const { state } = await cluster.status(context);
  if (state !== 'ready') return undefined;
  const progress = await createProgress(stream);
  const account = await context.credentials.account();
  const notes: string[] = [];
  const step = async ({ name, apply }: Component) => {
    const work = () => apply(context);
    const { changed, notes: said = [] } = await timed(progress, name, work, ({ detail }) => detail);
    notes.push(...said);
    return changed;
  };
  try {
    const changed = await step(serviceImages);
    if (account && context.config.gitops) changed.push(...(await step(repositoryAccess)));
    if (!account) changed.push(...(await removeRepositorySecret(context)));
    // A cluster that was never finished has no services to wait for.
    const deployed = (await applications.status(context)).state !== 'absent';
    if (changed.length > 0 && deployed) changed.push(...(await step(services)));
    return { changed, notes, theirs: await hasForeignPullSecret(context) };
  } finally {
    progress.stop();
  }
}
