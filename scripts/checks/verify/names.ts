/**
 * The words that choose a check, cause before effect: without pods there are no targets, without targets no numbers,
 * without numbers nothing to show. So the first that finds something names the cause.
 */
export const checkNames = [
  'services',
  'prometheus',
  'discovery',
  'targets',
  'labels',
  'jobs',
  'traffic',
  'rules',
  'grafana',
  'queries',
  'capacity',
] as const;
export type CheckName = (typeof checkNames)[number];
