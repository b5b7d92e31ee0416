import { part } from './prometheus-parts.ts';

/** Groups alerts, silences them, and tells people of them: ALERTMANAGER=true. */
export const alertmanager = part('alertmanager');
