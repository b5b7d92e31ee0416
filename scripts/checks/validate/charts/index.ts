import type { ValidationCheck } from '../../../repository/rendering/finding.ts';
import { locateHelmError } from '../../../repository/rendering/helm-error.ts';
import { checkDependencies } from './dependencies.ts';
import { lint } from './lint.ts';

/** Each chart, with values.yaml alone and with each file on top of it. */
export const charts: ValidationCheck = {
  name: 'charts',
  title: 'the charts render with each values file',
  rules: {
    'chart-dependency': 'A dependency is a relative link to a chart of this repository in the version asked for.',
    'chart-values': 'Values are such as the schema and the templates of the chart allow.',
    'chart-unquoted-text': 'A value that is text is not one that YAML takes for a number, as a tag of digits is.',
    'chart-refused': 'helm template renders the chart.',
    'chart-lint': 'helm lint --strict has nothing to say.',
  },
  async run(repository, tools) {
    const renderings = (await repository.renderings()).filter(({ known }) => !known);
    const all = await Promise.all([
      ...(await repository.charts()).map((chart) => checkDependencies(repository, chart)),
      ...(await repository.allOn()).map(async (rendering) =>
        rendering.refusal === undefined ? [] : locateHelmError(repository, rendering, rendering.refusal),
      ),
      // Of a chart that it can't render, helm lint says the same once more.
      ...renderings.map((rendering) =>
        rendering.refusal === undefined
          ? lint(repository.root, rendering, tools)
          : locateHelmError(repository, rendering, rendering.refusal),
      ),
    ]);
    return all.flat();
  },
};
