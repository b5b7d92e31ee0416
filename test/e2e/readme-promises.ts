import assert from 'node:assert/strict';
import type { TypedCommand } from '../support/readme-commands.ts';
import type { Ran } from './support.ts';

interface Promised {
  /** Which command, by its beginning and what the README says behind it. */
  of: RegExp;
  /** What it prints. */
  prints: RegExp;
  /** Seconds for which it is typed again until it does. Without it, once. */
  within?: number;
}

/** What commands of the README's blocks print, where the page or its comment promises it. */
export const promises: readonly Promised[] = [
  { of: /^npm run up$/, prints: /The platform is up/ },
  { of: /^git commit -am "Say hello"$/, prints: /1 file changed/ },
  { of: /^curl .* # some seconds later: "env": "hello"$/, prints: /"env": ?"hello"/, within: 60 },
  { of: /^git revert --no-edit HEAD # and back again$/, prints: /Revert "Say hello"/ },
  {
    of: /^npm run promote .* # .*committed; then a report/,
    prints: /Committed as [0-9a-f]{7}: chore: promote images/,
  },
  {
    of: /^npm run rollback .* # and back, by git revert/,
    prints: /Committed as [0-9a-f]{7}: Revert "chore: promote images/,
  },
  { of: /^npm run promote .* # refused: it was rolled back$/, prints: /core-go is on hold/ },
];

/** The promise that is about a command, or undefined. */
export function promiseOf({ text, said }: TypedCommand): Promised | undefined {
  const typed = said === '' ? text : `${text} # ${said}`;
  return promises.find(({ of }) => of.test(typed));
}

/** What the README says is refused ends with exit code 1, all else with 0. */
export function expectedCode({ said }: TypedCommand): number {
  return said.startsWith('refused') ? 1 : 0;
}

/** Throws where a command did not do what the README says of it. */
export function holdTo(command: TypedCommand, ran: Ran): void {
  assert.equal(ran.code, expectedCode(command), `README.md:${command.line}: ${command.text}\n${ran.text}`);
  const promise = promiseOf(command);
  if (promise) assert.match(ran.text, promise.prints, `README.md:${command.line}: ${command.text}`);
}
