import type { Person } from '../../e2e/support.ts';

export interface Verified {
  code: number;
  ok: boolean;
  firstCause?: { message: string; remedy: string };
  checks: { check: string; ok: boolean; detail: string; seconds: number; findings: { message: string }[] }[];
  seconds: number;
  text: string;
}

/** Runs `npm run verify` for a program. */
export async function verifyAs(person: Person, ...flags: string[]): Promise<Verified> {
  const ran = await person.npm('verify', '--json', ...flags);
  try {
    const told = JSON.parse(ran.stdout) as Omit<Verified, 'code' | 'seconds' | 'text'>;
    return { ...told, code: ran.code, seconds: ran.seconds, text: ran.text };
  } catch {
    throw new Error(`verify told no JSON (exit code ${ran.code}):\n${ran.text}`);
  }
}
