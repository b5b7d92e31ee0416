import { PassThrough } from 'node:stream';
import type prompts from 'prompts';
import { Interrupted } from '../errors.ts';

export interface Terminal {
  stdin: NodeJS.ReadStream;
  /** Questions belong to progress, so they go where that goes. */
  stderr: NodeJS.WriteStream;
  signal: AbortSignal;
}

/** The terminal, or undefined where there is none to answer at. */
export function terminalOf(
  stdin: NodeJS.ReadStream,
  stderr: NodeJS.WriteStream,
  signal: AbortSignal,
): Terminal | undefined {
  return stdin.isTTY && stderr.isTTY ? { stdin, stderr, signal } : undefined;
}

/** A question with a yes or no; Enter alone means no. Throws `Interrupted` like the others. */
export function askWhether(terminal: Terminal, message: string): Promise<boolean> {
  return promptFor(terminal, { type: 'confirm', message, initial: false });
}

type Question = Omit<prompts.PromptObject<'answer'>, 'name'>;

export async function promptFor<T>(terminal: Terminal, asked: Question): Promise<T> {
  // Loaded for a question, which is seldom.
  const { default: prompts } = await import('prompts');
  if (terminal.signal.aborted) throw new Interrupted();
  const { input, close } = terminalInput(terminal.stdin, terminal.signal);
  let interrupted = false;
  try {
    const streams = { stdin: input as unknown as NodeJS.ReadStream, stdout: terminal.stderr };
    const { answer } = await prompts(
      { ...asked, name: 'answer', ...streams },
      {
        onCancel: () => {
          interrupted = true;
        },
      },
    );
    if (interrupted || terminal.signal.aborted) throw new Interrupted();
    return answer as T;
  } finally {
    close();
  }
}

/** A terminal's input, as `prompts` reads it. */
type TerminalInput = PassThrough & { isTTY: true; setRawMode(raw: boolean): void };

/**
 * Lets a question read a terminal for as long as it is open. What is pasted comes in one piece, and line breaks that
 * were copied with it would answer the question before the token is in: those in front are dropped, those inside become
 * a blank, which the token is then refused for, and those behind count as one Enter. When `signal` fires, or the
 * terminal is gone, the question is given the Ctrl-C that it knows how to end with.
 */
export function terminalInput(
  stdin: NodeJS.ReadStream,
  signal: AbortSignal,
): { input: TerminalInput; close: () => void } {
  const input = Object.assign(new PassThrough(), {
    isTTY: true as const,
    setRawMode: (raw: boolean) => void stdin.setRawMode(raw),
  });
  const read = (chunk: Buffer | string) => input.write(asTyped(chunk.toString()));
  const end = () => input.write('\u0003');
  stdin.on('data', read);
  stdin.once('end', end);
  signal.addEventListener('abort', end, { once: true });
  stdin.resume();
  return {
    input,
    close() {
      stdin.off('data', read);
      stdin.off('end', end);
      signal.removeEventListener('abort', end);
      stdin.pause();
      input.destroy();
    },
  };
}

/** The keys that a piece of input stands for. */
export function asTyped(piece: string): string {
  // Terminals that were asked to mark what is pasted put these around it.
  const text = piece.replaceAll('\u001b[200~', '').replaceAll('\u001b[201~', '');
  const pasted = text.replaceAll(/[\r\n]/g, '');
  if (pasted.length < 2 || pasted.includes('\u001b')) return text;
  const entered = /[\r\n]$/.test(text) ? '\r' : '';
  return text.replaceAll(/^[\r\n]+|[\r\n]+$/g, '').replaceAll(/[\r\n]+/g, ' ') + entered;
}
