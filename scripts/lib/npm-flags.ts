const npmFlag = /^npm_config_(.+)$/;

/** Flags that npm kept for itself, as in `npm run status --json`: it hands them on as variables. */
export function npmFlagsOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  const flags: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    const flag = npmFlag.exec(name)?.[1];
    if (flag !== undefined && value !== undefined) flags[flag.replaceAll('_', '-')] = value;
  }
  // npm has a word of its own for --verbose.
  return flags.loglevel === 'verbose' ? { ...flags, verbose: 'true' } : flags;
}
