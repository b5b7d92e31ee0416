/** On an Application that `npm run drill` has pointed at a commit of its own: the drill's name. */
export const drillAnnotation = 'platform-ops/drill';
