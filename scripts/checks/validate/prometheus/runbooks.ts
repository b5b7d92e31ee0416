import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { findingIn, ruleQueries } from '../queries/located.ts';

const folder = 'docs/runbooks';
const rule = 'alert-runbook';
const remedy = `Give it a summary, a description and a runbook_url like the others have, and describe it in ${folder}/ under a heading of its name.`;
/** As GitHub shows a file of this repository, or of a fork of it. */
const address = /^https:\/\/github\.com\/[^/]+\/[^/]+\/blob\/main\/(?<page>[^#]+)#(?<anchor>.+)$/;

/** Each alert says what is wrong, what that means, and where to read on; and there is something to read there. */
export async function checkRunbooks(repository: Repository): Promise<Finding[]> {
  const alerts = (await ruleQueries(repository)).filter(({ rule }) => rule.alert !== undefined);
  const pages = await repository.files(folder);
  const anchors = new Map(
    await Promise.all(pages.map(async (page) => [page, headingsOf(await repository.text(page))] as const)),
  );
  return alerts.flatMap((located) => {
    const { summary, description, runbook_url: link } = located.rule.annotations ?? {};
    const missing = Object.entries({ summary, description, runbook_url: link }).find(([, text]) => !text);
    if (missing !== undefined) return [findingIn(located, rule, `it has no ${missing[0]}`, remedy)];
    const { page = '', anchor = '' } = address.exec(String(link))?.groups ?? {};
    const headings = anchors.get(page);
    if (headings === undefined)
      return [findingIn(located, rule, `its runbook_url leads to no file of ${folder}`, remedy)];
    if (!headings.has(anchor)) return [findingIn(located, rule, `${page} has no heading for #${anchor}`, remedy)];
    return [];
  });
}

/** The anchors that GitHub makes of a page's headings: in small letters, without punctuation, a dash for each space. */
function headingsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map((match) => match[1] ?? '');
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
