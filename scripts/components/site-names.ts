/** The words that choose what a browser finds at the ingress, in the order of the list. */
export const siteNames = ['api', 'argocd', 'prometheus', 'grafana'] as const;
export type SiteName = (typeof siteNames)[number];

/** Those of them that ask for the user admin and a password. */
export const passwordSites = ['argocd', 'grafana'] as const satisfies readonly SiteName[];
export type PasswordSite = (typeof passwordSites)[number];
