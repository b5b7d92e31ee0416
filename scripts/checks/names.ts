/** The words that choose a check, in the order in which they are reported. */
export const validationCheckNames = [
  'files',
  'charts',
  'schemas',
  'policy',
  'kube-score',
  'references',
  'applications',
  'promotion',
  'values',
  'prometheus',
  'scrape',
  'dashboards',
  'queries',
] as const;
export type ValidationCheckName = (typeof validationCheckNames)[number];

/**
 * The words that choose a check, cause before effect: without pods there are no targets, without targets no numbers,
 * without numbers nothing to show. So the first that finds something names the cause.
 */
export const verificationCheckNames = [
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
export type VerificationCheckName = (typeof verificationCheckNames)[number];
