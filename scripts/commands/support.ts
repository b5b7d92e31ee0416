import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { nodeContainer } from '../components/cluster-ownership.ts';
import { type Context, createContext } from '../context.ts';
import { ExitCode, messageOf, UserError } from '../lib/errors.ts';
import { clusterSections } from '../support/cluster-sections.ts';
import { createRedactor } from '../support/redact.ts';
import { secretsOf } from '../support/secrets.ts';
import { machineSections, textOf } from '../support/sections.ts';
import type { Command, Invocation } from './command.ts';

export const support: Command = {
  name: 'support',
  summary: 'Write what others need to help you into one file, without secrets.',
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
  },
  examples: ['npm run support', 'npm run support -- --output /tmp/support.log', 'npm run support -- --without-cluster'],
  run: runSupport,
};

async function runSupport({ config, flags, signal, print, progressStream }: Invocation): Promise<ExitCode> {
  const context = createContext(config, { signal });
  // Git ignores this name.
  const usual = `support-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.log`;
  const file = resolve(config.root, typeof flags.output === 'string' ? flags.output : join(config.root, usual));
  const text = await redactedText(context, flags['without-cluster'] !== true && (await runs(context)));
  await write(file, text);
  if (flags.json) print(JSON.stringify({ file, bytes: Buffer.byteLength(text) }));
  else {
    print(file);
    progressStream.write('Only you can read it. Look it through before you hand it on.\n');
  }
  return ExitCode.done;
}

/** The whole text, made sure of: a bug is thrown rather than a secret written. */
export async function redactedText(context: Context, withCluster: boolean): Promise<string> {
  const { redact, shows } = createRedactor(await secretsOf(context, withCluster));
  const sections = [...machineSections, ...(withCluster ? clusterSections : [])];
  const text = redact(await textOf(context, sections));
  context.reconnect();
  if (shows(text)) throw new Error('something of a secret was still in the text, so nothing was written');
  return text;
}

async function runs(context: Context): Promise<boolean> {
  const container = await nodeContainer(context).catch((error: unknown) => {
    // Why Docker does not answer is among the findings.
    if (error instanceof UserError) return undefined;
    throw error;
  });
  return container?.state === 'running';
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new UserError(`${file} could not be written: ${messageOf(cause)}`, {
      hint: 'npm run support -- --output FILE takes another one, which must not exist yet.',
      cause,
    });
  }
}
