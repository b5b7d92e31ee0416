import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { collectSecrets, createRedactor } from '../checks/support-bundle/secrets.ts';
import { clusterSections, machineSections, renderSections } from '../checks/support-bundle/sections.ts';
import { presence } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { nodeContainer } from '../kubernetes/explain/runtime.ts';
import { ExitCode, messageOf, UserError } from '../lib/errors.ts';
import { writeWhole } from '../lib/files.ts';
import { type Command, checkFlags, type Invocation } from './command.ts';

export const supportBundleCommand: Command = {
  description: [
    'Writes versions, settings, the findings of doctor and status, warnings, and the logs of pods that are not well into one',
    'file that only you can read, and prints its path. Tokens, passwords and every value of the Secrets in the cluster are',
    'taken out, in whatever form they stand there, and the file is looked through for them before it is written. Look it',
    'through yourself before you attach it to an issue: a log may say what only you know to be secret.',
  ].join('\n'),
  flags: {
    output: { type: 'text', value: 'file', description: 'Write it there, to a file that does not exist yet.' },
    'without-cluster': { type: 'boolean', description: 'Leave out what comes from inside the cluster.' },
    json: { type: 'boolean', description: 'Print the path as JSON.' },
    ...checkFlags,
  },
  examples: [
    'npm run support-bundle',
    'npm run support-bundle -- --output /tmp/support.log',
    'npm run support-bundle -- --without-cluster',
  ],
  run: runSupportBundle,
};

async function runSupportBundle({ config, flags, signal, print, progressStream }: Invocation): Promise<ExitCode> {
  const context = createContext(config, { signal });
  // Git ignores this name.
  const usual = `support-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.log`;
  const file = resolve(config.root, typeof flags.output === 'string' ? flags.output : join(config.root, usual));
  const text = await redactedText(context, flags['without-cluster'] !== true && (await runs(context)));
  write(file, text);
  if (flags.json) print(JSON.stringify({ file, bytes: Buffer.byteLength(text) }));
  else {
    print(file);
    progressStream.write('Only you can read it. Look it through before you hand it on.\n');
  }
  return ExitCode.done;
}

/** The whole text, made sure of: a bug is thrown rather than a secret written. */
export async function redactedText(context: Context, withCluster: boolean): Promise<string> {
  const { redact, shows } = createRedactor(await collectSecrets(context, withCluster));
  const sections = [...machineSections, ...(withCluster ? clusterSections : [])];
  const text = await renderSections(context, sections, redact);
  context.reconnect();
  if (shows(text)) throw new Error('something of a secret was still in the text, so nothing was written');
  // The name of an account is private, and every path has it. Later than the secrets, which may have it in them.
  const home = context.config.childEnv.tool.HOME || homedir();
  return home.length > 1 ? text.replaceAll(home, '~') : text;
}

async function runs(context: Context): Promise<boolean> {
  const look = context.target === undefined ? nodeState : presence;
  const state = await look(context).catch((error: unknown) => {
    // Why Docker or the API server does not answer is among the findings.
    if (error instanceof UserError) return undefined;
    throw error;
  });
  return state === 'running';
}

async function nodeState(context: Context): Promise<string | undefined> {
  return (await nodeContainer(context))?.state;
}

function write(file: string, text: string): void {
  try {
    writeWhole(file, text, { ownerOnly: true, exclusive: true });
  } catch (cause) {
    throw new UserError(`${file} could not be written: ${messageOf(cause)}`, {
      hint: 'npm run support-bundle -- --output FILE takes another one, which must not exist yet.',
      cause,
    });
  }
}
