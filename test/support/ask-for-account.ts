import { writeFileSync } from 'node:fs';
import { askForAccount } from '../../scripts/images/credentials/choose-account.ts';
import { checkToken } from '../../scripts/images/credentials/token-check.ts';
import { ExitCode, Interrupted } from '../../scripts/lib/errors.ts';
import { images } from './github.ts';

// Asks as the commands do, for a test that sits at the terminal: the server that plays GitHub is given as the first
// argument, the file for the answer as the second.
const [origin = '', file = ''] = process.argv.slice(2);
const controller = new AbortController();
process.on('SIGTERM', () => controller.abort());
const { signal } = controller;
try {
  const endpoints = { ghcr: origin, github: origin };
  const answer = await askForAccount({ stdin: process.stdin, stderr: process.stderr, signal }, (token) =>
    checkToken(token, { images, signal, endpoints }),
  );
  const token = answer.kind === 'account' ? answer.account.token.reveal() : undefined;
  writeFileSync(file, JSON.stringify({ ...answer, token }));
  process.exit(ExitCode.done);
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
  process.exit(ExitCode.interrupted);
}
