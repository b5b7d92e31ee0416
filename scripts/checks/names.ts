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
  'dashboards',
  'queries',
] as const;
export type ValidationCheckName = (typeof validationCheckNames)[number];
