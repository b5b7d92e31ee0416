import type { Exec } from '../../../../lib/exec.ts';

/** The Go modules that the schemas come from. Go's checksum database vouches for each. */
export const modules = {
  // The newest patch of the node image's minor version that the module proxy has; fields don't change within a minor.
  kubernetes: 'k8s.io/kubernetes@v1.36.3',
  // The same release's Go types, which name the values of enumerations. The OpenAPI document leaves them out.
  kubernetesTypes: 'k8s.io/api@v0.36.3',
  argoCd: 'github.com/argoproj/argo-cd/v3@v3.5.7',
  sealedSecrets: 'github.com/bitnami-labs/sealed-secrets@v0.40.0',
  prometheusOperator: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
} as const;

export type ModuleName = keyof typeof modules;

/** Fetches a module and hands back its folder. Throws `CommandError` where there is no Go or no network. */
export async function fetchModule(exec: Exec, name: ModuleName): Promise<string> {
  const { stdout } = await exec(['go', 'mod', 'download', '-json', modules[name]]);
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
