import type { Tool, ToolName } from '../../kubernetes/tools/tools.ts';
import type { Exec } from '../../lib/processes/exec.ts';
import type { Finding } from './finding.ts';
import type { Repository } from './repository.ts';

/** How a check runs other programs. */
export interface Tools {
  exec: Exec;
  /** Throws `UsageError` where the tool can't be had: the runner then reports the check as not checked. */
  find(name: ToolName): Promise<Tool>;
}

/** One line of `npm run validate`. */
export interface Check {
  /** The word that chooses it: `npm run validate -- policy`. */
  name: string;
  /** What is true when it finds nothing, as a short phrase. */
  title: string;
  /** Every rule that it knows: its id, and one sentence of what it demands. */
  rules: Readonly<Record<string, string>>;
  run(repository: Repository, tools: Tools): Promise<Finding[]>;
}
