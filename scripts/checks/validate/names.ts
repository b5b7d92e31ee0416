/** The words that choose a check, in the order in which they are reported. */
export const checkNames = [
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
export type CheckName = (typeof checkNames)[number];
