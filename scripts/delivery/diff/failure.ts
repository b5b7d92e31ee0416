import { Unreachable } from '../../kubernetes/api/api.ts';
import { UserError } from '../../lib/errors.ts';

/** What went wrong with a part of the whole, and what to do about it. */
export interface Failure {
  message: string;
  hint?: string;
}

/** The failure of one part, which leaves the others untouched. Throws on what is a bug, or concerns all of them. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof UserError) || error instanceof Unreachable) throw error;
  return { message: error.message, ...(error.hint !== undefined && { hint: error.hint }) };
}
