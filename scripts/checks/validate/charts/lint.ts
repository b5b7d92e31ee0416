import { join } from 'node:path';
import type { Finding, Tools } from '../../../repository/rendering/finding.ts';
import { helmOptions, type Rendering } from '../../../repository/rendering/helm.ts';

/** What `helm lint --strict` says of a chart with one choice of values. */
export async function lint(root: string, { chart, values }: Rendering, tools: Tools): Promise<Finding[]> {
  const helm = await tools.find('helm');
  const overlay = values === 'values.yaml' ? undefined : values;
  const folder = join(root, chart.folder);
  const { stdout, stderr, exitCode } = await tools.exec(
    [helm.path, 'lint', '--strict', folder, ...helmOptions(root, chart, overlay)],
    { nothrow: true, timeout: 60_000 },
  );
  if (exitCode === 0) return [];
  // `[WARNING] templates/hpa.yaml: autoscaling/v2beta2 ... is deprecated`, with the text going on in indented lines.
  const messages = [...stdout.matchAll(/^\[(?:ERROR|WARNING)\] ([^:\n]*): (.*(?:\n(?!\[|==>|\n).*)*)/gm)];
  if (messages.length === 0) return [finding('Chart.yaml', stderr.trim())];
  return messages.map(([, place = '', text = '']) => finding(/\.\w+$/.test(place) ? place : 'Chart.yaml', text));

  function finding(place: string, text: string): Finding {
    return {
      rule: 'chart-lint',
      file: `${chart.folder}/${place}`,
      message: `helm lint says: ${text.replaceAll(`${root}/`, '').replaceAll(/\s+/g, ' ').trim()}`,
      remedy: 'Correct what it names; helm lint --strict takes a warning for an error.',
      renderings: [values],
    };
  }
}
