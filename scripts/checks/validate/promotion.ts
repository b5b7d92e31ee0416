import { Ajv, type ValidateFunction } from 'ajv';
import type { Finding } from '../../repository/rendering/finding.ts';
import type { Chart } from '../../repository/rendering/helm.ts';
import type { Repository, ValidationCheck } from '../../repository/rendering/repository.ts';
import { mapIn, readYaml } from '../../repository/yaml.ts';

const words = ['repository:', 'tag:'] as const;

/** Tags that CI could write; YAML takes all but the first for something else than the text. */
const tags = 'a1b2c3d 1234567 0123456 12e4567 1e00000 0x12345 0b10101 1_234_567 null true ~'.split(' ');

/** Whether the platform's CI, which knows nothing of YAML, can promote a build. */
export const validatePromotion: ValidationCheck = {
  name: 'promotion',
  title: "CI's sed promotes the image that it means",
  rules: {
    'promotion-lines': 'In values.yaml `repository:` and `tag:` stand on one line each, comments included.',
    'promotion-overlay': 'No other values file has one of the two: it would win over what CI promotes.',
    'promotion-result':
      "CI's sed leaves values.yaml with the image and the tag that it wrote, and the schema accepts them.",
    'promotion-tag': 'A tag that YAML takes for a number is refused by the schema, never deployed as another one.',
  },
  async run(repository) {
    const charts = await repository.charts();
    return (await Promise.all(charts.map((chart) => checkChart(repository, chart)))).flat();
  },
};

/**
 * A values file after the platform's CI promoted an image, which it does with
 * `sed -e "s|repository:.*|repository: IMAGE|" -e "s|tag:.*|tag: TAG|"`.
 */
export function promoted(text: string, image: string, tag: string): string {
  return text
    .split('\n')
    .map((line) => line.replace(/repository:.*/s, () => `repository: ${image}`).replace(/tag:.*/s, () => `tag: ${tag}`))
    .join('\n');
}

async function checkChart(repository: Repository, chart: Chart): Promise<Finding[]> {
  const file = `${chart.folder}/values.yaml`;
  const text = await repository.text(file);
  const lines = words.flatMap((word) => checkLines(file, text, word));
  const overlays = await Promise.all(
    chart.overlays.map(async (overlay) =>
      checkOverlay(`${chart.folder}/${overlay}`, await repository.text(`${chart.folder}/${overlay}`)),
    ),
  );
  // A second line with the words is finding enough: what sed makes of it follows.
  const results = lines.length > 0 ? [] : await checkResults(repository, chart, text);
  return [...lines, ...overlays.flat(), ...results];
}

function linesWith(text: string, word: string): number[] {
  return text.split('\n').flatMap((line, index) => (line.includes(word) ? [index + 1] : []));
}

function checkLines(file: string, text: string, word: string): Finding[] {
  const found = linesWith(text, word);
  const key = word.slice(0, -1);
  const finding = { rule: 'promotion-lines', file };
  if (found.length === 0) {
    const message = `No line has "${word}", which CI replaces to promote a build.`;
    return [{ ...finding, message, remedy: `State image.${key}.` }];
  }
  const own = found.length === 1 ? found[0] : readYaml(text)[0]?.line(['image', key]);
  const message = `"${word}" stands here too, and CI's sed would overwrite the rest of this line.`;
  return found
    .filter((line) => line !== own)
    .map((line) => ({ ...finding, line, message, remedy: 'Use another word or another key.' }));
}

function checkOverlay(file: string, text: string): Finding[] {
  return words.flatMap((word) =>
    linesWith(text, word).map((line) => ({
      rule: 'promotion-overlay',
      file,
      line,
      message: `"${word}" stands in this file, and CI promotes in values.yaml only.`,
      remedy: 'State the image in values.yaml alone.',
    })),
  );
}

/** The first tag that is promoted wrongly: one is enough to say it, and the first of them is the likeliest. */
async function checkResults(repository: Repository, { name, folder }: Chart, text: string): Promise<Finding[]> {
  const image = `ghcr.io/owner/${name}`;
  const accepts = await schemaOf(repository, folder);
  if (accepts === undefined) return [];
  const at = { file: `${folder}/values.yaml`, line: readYaml(text)[0]?.line(['image', 'tag']) };
  for (const tag of tags) {
    const values = mapIn<{ image: unknown }>(readYaml(promoted(text, image, tag))[0]?.value);
    const read = mapIn<{ repository: unknown; tag: unknown }>(values.image);
    const isAccepted = accepts(values);
    if (isAccepted && (read.repository !== image || read.tag !== tag)) {
      const what = read.repository === image ? `a ${typeof read.tag}, ${String(read.tag)},` : 'another image';
      const message = `If CI promotes the tag ${tag}, YAML reads ${what} and the schema lets it pass.`;
      const remedy = `Let ${folder}/values.schema.json demand a string for image.tag, and keep the two lines below image.`;
      return [{ ...at, rule: 'promotion-tag', message, remedy }];
    }
    if (tag === tags[0] && !isAccepted) {
      const message = `After CI promoted ${image}:${tag}, the schema refuses the values: ${reason(accepts)}.`;
      const remedy = 'Keep the two lines to a plain `key: value` below image, and the schema open to any short SHA.';
      return [{ ...at, rule: 'promotion-result', message, remedy }];
    }
  }
  return [];
}

/** The check of values against a chart's schema, as helm makes it; undefined where it is not a schema, which helm reports. */
async function schemaOf(repository: Repository, folder: string): Promise<ValidateFunction | undefined> {
  try {
    const schema = JSON.parse(await repository.text(`${folder}/values.schema.json`)) as object;
    return new Ajv({ strict: false, logger: false }).compile(schema);
  } catch {
    return undefined;
  }
}

function reason({ errors }: ValidateFunction): string {
  const [error] = errors ?? [];
  return `${error?.instancePath.slice(1).replaceAll('/', '.') || 'values'} ${error?.message ?? ''}`.trim();
}
