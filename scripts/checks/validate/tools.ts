import { availableParallelism } from 'node:os';
import type { Context } from '../../images/context.ts';
import { limitConcurrency } from '../../lib/tasks.ts';
import type { Tools } from '../../repository/rendering/finding.ts';

/**
 * How the checks run other programs: as many at once as there are processors. A hundred charts take a thousand runs of helm
 * and kube-score: hundreds at the same time share the processors, and the minute that each is given is over before it is done.
 */
export function toolsOf({ exec, toolbox }: Pick<Context, 'exec' | 'toolbox'>, count = availableParallelism()): Tools {
  const inTurn = limitConcurrency(count);
  return {
    exec: (command, options) => inTurn(() => exec(command, options)),
    find: (name) => toolbox.find(name),
  };
}
