/**
 * What kubectl says of an API server that restarts. An eviction that a disruption budget forbids for now is answered 429 as
 * well, and is an answer.
 */
export const restarting =
  /connection refused|was refused|connection reset|unexpected EOF|: EOF|TLS handshake timeout|i\/o timeout|etcdserver: |ServiceUnavailable|currently unable to handle the request|TooManyRequests(?!\): Cannot evict pod)/i;

/** What kubectl says where the login lacks a right. An API server that starts says so, too, until it has read its roles. */
export const forbidden = /forbidden: User "([^"]*)" cannot /i;

/** Refusals that pass as well: of a webhook, and of a namespace on its way in or out. */
export const early = /failed calling webhook|being terminated|error looking up service account/i;

/** What to do about a refusal of the API server, in the words of kubectl or of an object's status, where it is known. */
export function remedyFor(said: string): string | undefined {
  const [, webhook] = said.match(/failed calling webhook "([^"]+)"/) ?? [];
  if (webhook !== undefined)
    return `Nobody answers for the webhook ${webhook}: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations shows whose it is. Have its program run, or delete its configuration, then npm run up.`;
  const [, account] = said.match(/error looking up service account (\S+?):/) ?? [];
  if (account !== undefined)
    return `Kubernetes makes the account ${account} by itself, and has not done so: kubectl get pods --namespace kube-system tells whether kube-controller-manager runs. Then npm run up.`;
  const [, user] = said.match(forbidden) ?? [];
  if (user !== undefined)
    return `${user} lacks that right in the cluster: kubectl auth can-i --list shows what it may do. Use a login with the ClusterRole cluster-admin.`;
  if (/exceeded quota/i.test(said))
    return 'A quota of the namespace stands in the way: kubectl get resourcequota --all-namespaces shows it.';
  return undefined;
}
