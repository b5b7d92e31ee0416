import { createHash } from 'node:crypto';
import { ExitCode } from '../lib/errors.ts';
import type { Usage } from '../lib/terminal/args.ts';
import { shellWord } from '../lib/text.ts';
import { readRegistrations } from '../repository/applications.ts';
import type { Command, Invocation } from './command.ts';

export const completionCommand: Command = {
  description: [
    'Prints a text for bash to source, which completes npm run with the commands of this checkout, their flags, their words',
    'and the names of the services. In other folders the completion of npm goes on as before. The text holds what the',
    'commands are today: source it anew after an update.',
  ].join('\n'),
  flags: {},
  examples: ['npm run --silent completion'],
  run: runCompletion,
};

async function runCompletion({ config, print }: Invocation): Promise<ExitCode> {
  // Not above: the list of commands holds this one.
  const { allCommands } = await import('./index.ts');
  const [usages, { applications }] = await Promise.all([allCommands(), readRegistrations(config.root)]);
  const services = applications.map(({ metadata }) => metadata.name);
  print(bashCompletion({ usages, services, root: config.root }));
  return ExitCode.done;
}

/** What is completed behind each command. */
interface CompletionInput {
  usages: readonly Usage[];
  /** What an operand `service` may be. */
  services: readonly string[];
  /** The folder with the package.json that the commands belong to. */
  root: string;
}

/**
 * A completion for bash: a text to be sourced. It starts no program while a person types. In other folders, and for all of npm
 * but `run`, it leaves the word to the completion of npm that was there before.
 */
export function bashCompletion({ usages, services, root }: CompletionInput): string {
  // A name for each checkout: one does not take the other's place.
  const name = `_platform_ops_${createHash('sha256').update(root).digest('hex').slice(0, 8)}`;
  const wanted = usages.map((usage) => `    ${usage.name}) words="${wordsOf(usage, services).join(' ')}" ;;`);
  const values = [...choicesOf(usages)].map(
    ([flag, choices]) => `  [ "\${COMP_WORDS[COMP_CWORD - 1]}" = --${flag} ] && words="${choices.join(' ')}"`,
  );
  return `# Completes npm run for ${root}
${name}_now=$(complete -p npm 2> /dev/null | sed -n 's/.* -F \\([^ ]*\\) .*/\\1/p')
[ "$${name}_now" = ${name} ] || ${name}_before=$${name}_now
${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" folder="$PWD" command= dashes= words= at
  while [ -n "$folder" ] && [ ! -e "$folder/package.json" ]; do folder="\${folder%/*}"; done
  case "\${COMP_WORDS[1]}" in run | run-script) ;; *) folder= ;; esac
  if [ -z "$folder" ] || [ "$(cd "$folder" && pwd -P)" != ${shellWord(root)} ]; then
    [ -n "$${name}_before" ] && "$${name}_before" "$@"
    return
  fi
  for ((at = 2; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in
      --) dashes=yes ;;
      -*) ;;
      *) [ -n "$command" ] || command="\${COMP_WORDS[at]}" ;;
    esac
  done
  case "$command" in
    '') words="${usages.map((usage) => usage.name).join(' ')}" ;;
${wanted.join('\n')}
  esac
${values.join('\n')}
  [ -n "$command" ] && [ -n "$words" ] && [ -z "$dashes" ] && words=--
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F ${name} npm
`;
}

function wordsOf({ flags, words = [], operands = [] }: Usage, services: readonly string[]): string[] {
  const typed = Object.keys(flags).map((flag) => `--${flag}`);
  return [...words, ...(operands[0]?.startsWith('service') ? services : []), ...typed, '--help'];
}

/** The flags that take names, with all that these may be. */
function choicesOf(usages: readonly Usage[]): Map<string, readonly string[]> {
  const flags = usages.flatMap((usage) => Object.entries(usage.flags));
  return new Map(flags.flatMap(([name, { choices }]) => (choices ? [[name, choices] as const] : [])));
}
