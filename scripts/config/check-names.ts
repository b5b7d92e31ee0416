/**
 * The names of the preflight checks, for `IGNORE_CHECKS` and `--ignore-checks`, in the order of their findings, which is
 * the one in which a person mends things: without Docker nothing runs, and its settings often take one restart together;
 * then what belongs to this machine; the tools last, as they are the one thing that mends itself.
 */
export const preflightCheckNames = ['docker', 'memory', 'disk', 'cgroup', 'inotify', 'ports', 'git', 'tools'] as const;
export type PreflightCheckName = (typeof preflightCheckNames)[number];
