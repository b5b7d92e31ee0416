/**
 * Which service each drill is about. Argo CD waits longer before each time that it heals the same commit again, so what is
 * changed by hand here gets another commit later on, in another drill, and a second round is as quick as the first.
 */
export const cast = {
  /** Behind the ingress: what goes wrong with it, its callers would notice. */
  front: 'api-node',
  /** Asked by the one in front, for each request. */
  middle: 'core-go',
  /** Nobody calls it. */
  back: 'worker-python',
} as const;
