import type { Ran } from '../../e2e/support.ts';
import type { World } from './world.ts';

/** Something that goes wrong while a command works, and how that has to end. */
export interface Fault {
  name: string;
  /** Why it can't be shown on this machine, or undefined. */
  missing?(world: World): string | undefined;
  /** With the work done in spite of it, with a message that tells what to do, or as the person wanted who interrupted it. */
  ends: 'success' | 'message' | 'interrupted';
  /** What the command has to say. */
  says: readonly RegExp[];
  /** Seconds in which the command has to end. */
  within: number;
  /** Plants the fault, starts the command, and hands back how that ended. */
  plant(world: World): Promise<Ran>;
}

const codes = { success: [0], message: [1, 2], interrupted: [130] };

/** What is wrong with the end of a command, a sentence each; nothing where all is as it has to be. */
export function complaints({ ends, says }: Fault, { code, text }: Ran): string[] {
  const unsaid = says.filter((pattern) => !pattern.test(text)).map((pattern) => `it did not say ${pattern}`);
  const wrongCode = codes[ends].includes(code) ? [] : [`it ended with exit code ${code}`];
  const noRemedy = ends === 'message' && !/^ {2}→ \S/m.test(text) ? ['it told no remedy'] : [];
  const bug = /This is a bug in platform-ops/.test(text) ? ['it took it for a bug'] : [];
  return [...wrongCode, ...unsaid, ...noRemedy, ...bug];
}

/** The lines that tell: the first that was demanded, or the message with its remedy. */
export function telling({ says }: Fault, text: string): string {
  const lines = text.split('\n');
  const said = says.flatMap((pattern) => lines.find((line) => pattern.test(line)) ?? []);
  const remedy = lines.find((line) => line.startsWith('  → '));
  return [...new Set([...said, ...(remedy ? [remedy] : [])])].map((line) => line.trim()).join(' ');
}
