import { createHash } from 'node:crypto';
import { ExitCode } from '../lib/errors.ts';
import { readRegistrations } from '../repository/registrations.ts';
import type { AllCommands, Command, Invocation } from './command.ts';

export const completionCommand: Command = {
  description: [
    'Prints a script for your shell to source. It completes npm run in this checkout, and platform.mjs, with commands, flags,',
    'words and the names of the services, which it asks platform.mjs for. For bash, source it directly; for zsh, after',
    'compinit; for fish, pipe it into source. In other folders the completion of npm goes on as before.',
  ].join('\n'),
  flags: {
    line: { type: 'text', value: 'text', description: 'Print what can end this line: the scripts call it.' },
  },
  words: ['bash', 'zsh', 'fish'],
  examples: ['npm run --silent completion', 'npm run --silent completion -- fish'],
  run: runCompletion,
};

async function runCompletion(
  { config, flags, word = 'bash', print }: Invocation,
  all?: AllCommands,
): Promise<ExitCode> {
  if (typeof flags.line !== 'string' || all === undefined) {
    print(completionScript(word as keyof typeof scripts, config.root));
    return ExitCode.done;
  }
  const { applications } = await readRegistrations(config.root);
  const services = applications.map(({ metadata }) => metadata.name);
  const found = await completions(flags.line, services, all);
  if (found.length > 0) print(found.join('\n'));
  return ExitCode.done;
}

/** @returns what the last word of a line can be, a blank at its end beginning a new one. */
export async function completions(
  line: string,
  services: readonly string[],
  { commands, findCommand }: AllCommands,
): Promise<string[]> {
  const [program = '', ...typed] = line.split(' ');
  const current = typed.pop() ?? '';
  const byNpm = program === 'npm';
  const [name, ...behind] = (byNpm ? typed.slice(1) : typed).filter((word) => word !== '--' && !/^-.*/.test(word));
  const before = typed.at(-1)?.replace(/^--/, '') ?? '';
  const matching = (words: readonly string[]) => words.filter((word) => word.startsWith(current));
  if (name === undefined) return matching(commands.map((one) => one.name));
  const usage = await findCommand(name);
  if (usage === undefined) return [];
  if (byNpm && !typed.includes('--')) return matching(['--']);
  const { choices } = usage.flags[before] ?? {};
  if (choices && typed.at(-1)?.startsWith('--')) return matching(choices);
  const { words = [], operands = [], flags } = usage;
  const operand = operands[behind.length]?.startsWith('service') ? services : [];
  return matching([...words, ...operand, ...Object.keys(flags).map((flag) => `--${flag}`), '--help']);
}

/** What each shell sources. `name` is a function of this checkout: one does not take the other's place. */
const scripts = {
  bash: (name: string, ask: string, root: string) => `# Completes npm run and platform.mjs for ${root}
${name}_now=$(complete -p npm 2> /dev/null | sed -n 's/.* -F \\([^ ]*\\) .*/\\1/p')
[ "$${name}_now" = ${name} ] || ${name}_before=$${name}_now
${name}() {
  local folder="$PWD"
  while [ -n "$folder" ] && [ ! -e "$folder/package.json" ]; do folder="\${folder%/*}"; done
  case "\${COMP_WORDS[0]} \${COMP_WORDS[1]}" in "npm run" | "npm run-script") ;; npm*) folder= ;; *) folder=${quoted(root)} ;; esac
  if [ -z "$folder" ] || [ "$(cd "$folder" && pwd -P)" != ${quoted(root)} ]; then
    [ -n "$${name}_before" ] && "$${name}_before" "$@"
    return
  fi
  COMPREPLY=($(${ask} "\${COMP_WORDS[*]:0:COMP_CWORD+1}" 2> /dev/null))
}
complete -o default -F ${name} npm platform.mjs platform
`,
  zsh: (name: string, ask: string, root: string) => `# Completes npm run and platform.mjs for ${root}
${name}() {
  if [[ $words[1] == npm ]] && [[ $words[2] != run* || "$(npm prefix)" != ${quoted(root)} ]]; then
    (( $+functions[_npm] )) && _npm "$@"
    return
  fi
  compadd -- \${(f)"$(${ask} "\${(j: :)words[1,CURRENT]}" 2> /dev/null)"}
}
compdef ${name} npm platform.mjs platform
`,
  fish: (name: string, ask: string, root: string) => `# Completes npm run and platform.mjs for ${root}
function ${name}
  ${ask} (string join -- ' ' (commandline -opc) (commandline -ct)) 2> /dev/null
end
function ${name}_here
  string match -q -r '^npm run(-script)?\\b' (string join -- ' ' (commandline -opc)); and test (npm prefix) = ${quoted(root)}
end
complete -c npm -n ${name}_here -f -a '(${name})'
complete -c platform.mjs -f -a '(${name})'
complete -c platform -f -a '(${name})'
`,
};

/** @returns the script that a shell sources. `root` is the folder with the package.json that the commands belong to. */
export function completionScript(shell: keyof typeof scripts, root: string): string {
  const name = `_platform_ops_${createHash('sha256').update(root).digest('hex').slice(0, 8)}`;
  return scripts[shell](name, `node ${quoted(`${root}/platform.mjs`)} completion --line`, root);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
