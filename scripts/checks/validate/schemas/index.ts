import { type Finding, findingAt, type Located, type ValidationCheck } from '../../../repository/rendering/finding.ts';
import { explain } from './explain.ts';
import { loadSchemas } from './load.ts';

/** Every object, held against what Kubernetes and the custom resource definitions say of its kind. */
export const schemas: ValidationCheck = {
  name: 'schemas',
  title: 'every object is as its kind demands',
  rules: {
    'schema-unknown-kind': 'Every kind has a schema here, so that none goes unchecked.',
    'schema-unknown-field': 'An object has only fields that its kind has.',
    'schema-type': 'Every field has a value of its type: text, a number, true or false, a list, fields.',
    'schema-required': 'Every field that its kind demands is there.',
    'schema-value': 'A value is one of those that its field can take.',
  },
  async run(repository) {
    const { check, kinds } = await loadSchemas();
    const allOn = (await repository.allOn()).flatMap(({ objects }) => objects);
    const objects = [...(await repository.manifests()), ...(await repository.rendered()), ...allOn];
    return objects.flatMap((located): Finding[] => {
      const errors = check(located.object);
      if (errors === 'unknown') return [unknownKind(located, kinds)];
      return errors.map((error) => {
        const { rule, path, message, remedy } = explain(error, located.object);
        return findingAt(located, rule, path, message, remedy);
      });
    });
  },
};

function unknownKind(located: Located, kinds: readonly string[]): Finding {
  const { apiVersion, kind } = located.object;
  const same = kinds.find((each) => each.endsWith(`/${kind}`));
  return findingAt(
    located,
    'schema-unknown-kind',
    ['kind'],
    `no schema is known for ${kind} of ${apiVersion}.`,
    same === undefined
      ? 'Add the kind to scripts/checks/validate/schemas/update/kinds.ts and run npm run schemas.'
      : `Write apiVersion: ${same.slice(0, -kind.length - 1)}, or add the kind to scripts/checks/validate/schemas/update/kinds.ts.`,
  );
}
