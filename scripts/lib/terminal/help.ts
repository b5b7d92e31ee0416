import { columns } from '../text.ts';
import { callOf, type Usage, withValue } from './args.ts';

/** The page that `--help` shows. */
export function helpPage(usage: Usage): string {
  const flags = Object.entries(usage.flags).map(([name, flag]) => [withValue(name, flag), flag.description] as const);
  const words = ` -- [${usage.words?.join(' | ')}]${following(usage)}`;
  const many = words.length > 80;
  return [
    usage.operands ? callOf(usage) : `npm run ${usage.name}${usage.words ? (many ? ' -- [word]' : words) : ''}`,
    '',
    usage.description,
    '',
    ...(usage.words && many ? ['Words:', ...wrapped(usage.words), ''] : []),
    'Flags (behind two dashes, so that npm hands them on):',
    ...columns([...flags, ['--help', 'Show this page.']]),
    '',
    'Examples:',
    ...usage.examples.map((example) => `  ${example}`),
    '',
  ].join('\n');
}

function following({ severalWords, more }: Usage): string {
  if (severalWords) return ' ...';
  return more === undefined ? '' : ` [<${more}> ...]`;
}

/** Words, as many to a line as a terminal has room for. */
function wrapped(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 78) lines[lines.length - 1] = `${last}, ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines;
}

/** The page that lists the commands. */
export function commandList(usages: readonly Pick<Usage, 'name' | 'summary'>[]): string {
  return [
    'npm run <command> [-- <flags>]',
    '',
    ...columns(usages.map(({ name, summary }) => [name, summary])),
    '',
    'npm run <command> -- --help explains one of them.',
    '',
  ].join('\n');
}
