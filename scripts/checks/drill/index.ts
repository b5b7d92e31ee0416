import { badImage } from './bad-image.ts';
import type { Drill } from './drill.ts';
import { nodeDrain } from './node-drain.ts';
import { podKill } from './pod-kill.ts';
import { prune } from './prune.ts';
import { rollback } from './rollback.ts';
import { selfHeal } from './self-heal.ts';

/** Every drill there is, in the order in which they are shown. */
export const drills: readonly Drill[] = [selfHeal, prune, badImage, rollback, podKill, nodeDrain];
