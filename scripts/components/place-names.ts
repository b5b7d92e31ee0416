/** The words that choose what a browser finds at the ingress, in the order of the list. */
export const placeNames = ['api', 'argocd', 'prometheus', 'grafana'] as const;
export type PlaceName = (typeof placeNames)[number];

/** Those of them that ask for the user admin and a password. */
export const passwordPlaces = ['argocd', 'grafana'] as const satisfies readonly PlaceName[];
export type PasswordPlace = (typeof passwordPlaces)[number];
