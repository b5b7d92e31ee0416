import type { ValidationCheck } from '../../repository/rendering/finding.ts';
import { kustomizationRules, syntaxFault } from '../../repository/rendering/manifests.ts';
import { readYaml } from '../../repository/yaml.ts';

/** Whether the manifests and the charts' values can be read at all. */
export const validateFiles: ValidationCheck = {
  name: 'files',
  title: 'every YAML file can be read',
  rules: {
    'yaml-syntax': 'Every YAML file is valid, and no key stands twice in the same place.',
    'yaml-object': 'Every document of a manifest has apiVersion, kind and metadata.name.',
    ...kustomizationRules,
  },
  async run(repository) {
    const renderings = await repository.renderings();
    const inputs = (await repository.files('helm')).filter((file) => /^helm\/[^/]+\/[^/]+\.ya?ml$/.test(file));
    const read = inputs.map(async (file) =>
      readYaml(await repository.text(file)).flatMap(({ error }) => (error ? [syntaxFault(file, error)] : [])),
    );
    return [
      ...(await repository.faults()),
      ...(await Promise.all(read)).flat(),
      ...renderings.flatMap(({ faults }) => faults),
    ];
  },
};
