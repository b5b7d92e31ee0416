import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Document, parseDocument } from 'yaml';
import { UserError } from '../../lib/errors.ts';

/** A file that is made, or edited, for a new service. */
export interface Change {
  /** From the top of this repository's files. */
  file: string;
  /** What it held; undefined of one that is not there yet. */
  before?: string;
  /** What it is to hold; of a link, where that leads. */
  after: string;
  link?: true;
}

/** An edit of a file that is there. Throws a `UserError` where it is not. */
export async function edit(root: string, file: string, make: (text: string) => string): Promise<Change> {
  const before = await textOf(root, file);
  return { file, before, after: make(before) };
}

/** A file's text. Throws a `UserError` where it is not there. */
export async function textOf(root: string, file: string): Promise<string> {
  try {
    return await readFile(join(root, file), 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new UserError(`${file} is not there, and a new service needs it.`, {
      hint: `git checkout HEAD -- ${file} brings it back.`,
      cause,
    });
  }
}

/** YAML with something changed in it; comments, blank lines and quotes stay. Throws a `UserError` for what is no YAML. */
export function editYaml(text: string, file: string, change: (document: Document) => void): string {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error)
    throw new UserError(`${file} is not valid YAML: ${error.message.split('\n')[0]}`, {
      hint: 'Correct it: npm run validate shows the line.',
      cause: error,
    });
  change(document);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** A text with another name in the place of one, wherever that stands as a word of its own. */
export function renamed(text: string, from: string, to: string): string {
  return text.replaceAll(new RegExp(`(?<![\\w-])${from}(?![\\w-])`, 'g'), to);
}

/** The error about a file that somebody changed so much that what belongs to a new service finds no place in it. */
export function noPlace(file: string, what: string): UserError {
  return new UserError(`${file} has no ${what}, so nothing can be added to it.`, {
    hint: `git log -p -- ${file} shows how it was; put that back, or add the service by hand as CONTRIBUTING.md tells.`,
  });
}
