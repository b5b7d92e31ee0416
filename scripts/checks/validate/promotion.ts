import { Ajv, type ValidateFunction } from 'ajv';
import type { Finding } from '../../repository/rendering/finding.ts';
import type { Chart } from '../../repository/rendering/helm.ts';
import type { Repository, ValidationCheck } from '../../repository/rendering/repository.ts';
import { mapIn, readYaml } from '../../repository/yaml.ts';

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
    const files = new Set(await repository.files('helm'));
    const charts = (await repository.charts()).filter(({ folder }) => files.has(`${folder}/values.yaml`));
    const checked = charts.map(async (chart) => {
      const file = `${chart.folder}/values.yaml`;
      const text = await repository.text(file);
      const lines = ['repository', 'tag'].flatMap((key) => checkLines(file, text, key));
      const overlays = chart.overlays.map((overlay) => checkOverlay(repository, `${chart.folder}/${overlay}`));
      // A second line with the words is finding enough: what sed makes of it follows.
      const result = lines.length > 0 ? undefined : await checkResult(repository, chart, file, text);
      return [...lines, ...(await Promise.all(overlays)).flat(), ...(result ? [result] : [])];
    });
    return (await Promise.all(checked)).flat();
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

/** The lines, from 1, whose rest sed would overwrite. */
function linesWith(text: string, key: string): number[] {
  return text.split('\n').flatMap((line, index) => (line.includes(`${key}:`) ? [index + 1] : []));
}

function checkLines(file: string, text: string, key: string): Finding[] {
  const found = linesWith(text, key);
  const finding = { rule: 'promotion-lines', file };
  if (found.length === 0) {
    const message = `No line has "${key}:", which CI replaces to promote a build.`;
    return [{ ...finding, message, remedy: `State image.${key}.` }];
  }
  const own = found.length === 1 ? found[0] : readYaml(text)[0]?.line(['image', key]);
  const message = `"${key}:" stands here too, and CI's sed would overwrite the rest of this line.`;
  return found
    .filter((line) => line !== own)
    .map((line) => ({ ...finding, line, message, remedy: 'Use another word or another key.' }));
}

async function checkOverlay(repository: Repository, file: string): Promise<Finding[]> {
  const text = await repository.text(file);
  return ['repository', 'tag'].flatMap((key) =>
    linesWith(text, key).map((line) => {
      const message = `"${key}:" stands in this file, and CI promotes in values.yaml only.`;
      return { rule: 'promotion-overlay', file, line, message, remedy: 'State the image in values.yaml alone.' };
    }),
  );
}

/** The first tag that is promoted wrongly: one is enough to say it, and the first of them is the likeliest. */
async function checkResult(
  repository: Repository,
  { name, folder }: Chart,
  file: string,
  text: string,
): Promise<Finding | undefined> {
  const image = `ghcr.io/owner/${name}`;
  const accepts = await schemaOf(repository, folder);
  const at = { file, line: readYaml(text)[0]?.line(['image', 'tag']) };
  for (const tag of accepts ? tags : []) {
    const values = mapIn<{ image: unknown }>(readYaml(promoted(text, image, tag))[0]?.value);
    const read = mapIn<{ repository: unknown; tag: unknown }>(values.image);
    const isAccepted = accepts?.(values);
    if (isAccepted && (read.repository !== image || read.tag !== tag)) {
      const what = read.repository === image ? `a ${typeof read.tag}, ${String(read.tag)},` : 'another image';
      const message = `If CI promotes the tag ${tag}, YAML reads ${what} and the schema lets it pass.`;
      const remedy = `Let ${folder}/values.schema.json demand a string for image.tag, and keep the two lines below image.`;
      return { ...at, rule: 'promotion-tag', message, remedy };
    }
    if (tag === tags[0] && !isAccepted) {
      const [{ instancePath = '', message: what = '' } = {}] = accepts?.errors ?? [];
      const why = `${instancePath.slice(1).replaceAll('/', '.') || 'values'} ${what}`.trim();
      const message = `After CI promoted ${image}:${tag}, the schema refuses the values: ${why}.`;
      const remedy = 'Keep the two lines to a plain `key: value` below image, and the schema open to any short SHA.';
      return { ...at, rule: 'promotion-result', message, remedy };
    }
  }
  return undefined;
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
